// Situations of updates: one that comes by itself, one that was taken back, one from a file.

import { heading, logIn, OWNER } from "./lib/visits.mjs";

const OFFER = { version: "0.2.0", notes: "The firewall starts sooner.\nSmaller images.", size_bytes: 46_137_344, turn: "now", reason: null };

export const UPDATE_SITUATIONS = {
  async "updates come by themselves and are restarted into"({ box, page, look }) {
    box.owner = OWNER;
    let go;
    box.updates.held = new Promise((resolve) => (go = resolve));
    box.updates.published = [OFFER];
    await visit(page);
    await page.getByText("Not looked for yet.", { exact: false }).waitFor();
    await look("updates-none");
    await page.getByRole("button", { name: "Look for updates" }).click();
    await page.getByRole("progressbar", { name: "The download" }).waitFor();
    await page.getByText(/612 kB of that came over the internet/).waitFor();
    await look("updates-downloading");
    go();
    await page.getByText("Ready to restart").waitFor();
    await page.getByText(/The box restarts by itself in/).waitFor();
    await look("updates-ready");
    box.updates.held = new Promise((resolve) => (go = resolve));
    await page.getByRole("button", { name: "Restart now" }).click();
    await page.getByText(/The app notes is not up yet/).waitFor();
    await look("updates-trying");
    go();
    await page.getByText("0.1.0 → 0.2.0", { exact: true }).waitFor();
    await page.getByText(/It proved healthy and was kept/).waitFor();
    await look("updates-done");
  },

  async "updates that were taken back say which check failed"({ box, page, look }) {
    box.owner = OWNER;
    const at = Math.floor(Date.now() / 1000) - 7200;
    box.updates.history = [{ number: 1, at, from: "0.1.0", to: "0.2.0", outcome: "fell_back", reason: "eth0 has no router any more", has_log: true }];
    box.updates.logs = { 1: "12.1 netd: no answer from any router\n490.2 init: back to 0.1.0\n" };
    box.updates.settings = { ...box.updates.settings, mode: "ask" };
    box.updates.published = [{ ...OFFER, turn: "failed", reason: "it was tried and failed: eth0 has no router any more. The box does not try it again by itself" }];
    await visit(page);
    await page.getByText("The last update was taken back").waitFor();
    await page.getByText(/Eth0 has no router any more\./).waitFor();
    await page.getByText("What 0.2.0 logged last").click();
    await page.getByText(/no answer from any router/).waitFor();
    await look("updates-taken-back");
    await page.getByRole("button", { name: "Look for updates" }).click();
    await page.getByText(/The box does not try it again by itself/).waitFor();
    await page.getByRole("button", { name: "Install 0.2.0" }).click();
    await page.getByText(/The box waits for you to restart it/).waitFor();
    await look("updates-asked");
  },

  async "updates that fail, and those of an image without keys"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.updates.failure = "the timestamp of the repository expired";
    await visit(page);
    await page.getByRole("button", { name: "Look for updates" }).click();
    await page.getByText(/The timestamp of the repository expired\. The running system is as it was\./).waitFor();
    await look("updates-failed");
    box.updates.problem = "updates are not set up in this image";
    await page.getByText("Updates are not set up in this image.").waitFor();
    await look("updates-not-set-up");
    void visitor;
  },

  async "an update from a USB stick"({ box, visitor, page, look }) {
    box.owner = OWNER;
    visitor.expect(422, "/api/v1/updates/stick");
    await visit(page);
    await page.getByRole("button", { name: "From the USB stick" }).click();
    await page.getByText("no disk is plugged in").waitFor();
    await look("updates-no-stick");
    box.updates.isStickIn = true;
    await page.getByRole("button", { name: "From the USB stick" }).click();
    await page.getByText(/on the stick is good/).waitFor();
    await look("updates-stick");
  },

  async "updates from a file, and when the box may restart"({ box, visitor, page, look }) {
    box.owner = OWNER;
    visitor.expect(422, "/api/v1/updates/bundle");
    box.updates.badFile = "The update file is cut off.";
    await visit(page);
    const bring = () => page.getByLabel("Update file").setInputFiles({ name: "hearth.bundle", mimeType: "application/octet-stream", buffer: Buffer.alloc(70_000) });
    await bring();
    await page.getByText("The update file is cut off.").waitFor();
    await look("updates-file-refused");
    box.updates.badFile = undefined;
    await bring();
    await page.getByText(/The file is good/).waitFor();
    await page.getByText("Ready to restart").waitFor();
    await page.getByLabel("Restart from").selectOption("22");
    await page.getByLabel("Until", { exact: true }).selectOption("22");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("The box needs some time to restart in.").waitFor();
    await page.getByLabel("Until", { exact: true }).selectOption("1");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("The settings of updates are kept.").waitFor();
    const { from_minute: from, to_minute: to, zone } = box.updates.settings.window;
    if (from !== 22 * 60 || to !== 60 || !zone) throw new Error(`the window is ${from} to ${to} of ${zone}`);
    await look("updates-settings");
  },
};

async function visit(page) {
  await logIn(page);
  await page.getByRole("button", { name: "Updates, history" }).click();
  await heading(page, "Updates");
}
