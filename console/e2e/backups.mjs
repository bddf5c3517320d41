// Situations of backups: the first one, one that fails, where they go, the recovery kit.

import { hasFocus, waitUntil } from "./lib/browser.mjs";
import { lookAtPaper } from "./lib/look.mjs";
import { heading, logIn, OWNER } from "./lib/visits.mjs";
import { Vault } from "./mock/vault.mjs";

const HOUR = 3600;

export const BACKUP_SITUATIONS = {
  async "the first backup, to a stick, and its proof"({ box, page, look }) {
    box.owner = OWNER;
    let go;
    box.backups.held = new Promise((resolve) => (go = resolve));
    await logIn(page);
    await page.getByText(/its accounts, settings and private files are gone with it/).waitFor();
    await look("home-without-backups");
    await page.getByRole("button", { name: "Set up backups" }).click();
    await heading(page, "Backups");
    await page.getByText(/A USB stick is enough/).waitFor();
    await look("backups-none");
    await page.getByRole("button", { name: "Start backups" }).click();
    await page.getByText(/Backups are set up/).waitFor();
    if (box.backups.settings.target?.type !== "usb_disk") throw new Error("the disk was not chosen");
    await page.getByRole("button", { name: "Back up now" }).click();
    await page.getByRole("progressbar", { name: "The backup" }).waitFor();
    await look("backups-running");
    go();
    await page.getByText("Backed up", { exact: true }).waitFor();
    await page.getByText(/nobody has a recovery kit/i).waitFor();
    await page.getByRole("button", { name: "Prove it" }).click();
    await page.getByText(/went well/).nth(1).waitFor();
    await look("backups");
  },

  async "private files are saved while their owner is logged in"({ box, page, look }) {
    box.owner = OWNER;
    box.vault.files = [
      { name: "notes.txt", bytes: 48_213, modified_unix: 1_760_000_000 },
      { name: "scan.pdf", bytes: 2_400_000, modified_unix: 1_760_000_000 },
    ];
    const kim = new Vault();
    kim.state = "locked";
    box.members = [{ name: "Kim", password: "blue kettle on the shelf", vault: kim }];
    haveBackups(box, { type: "usb_disk" });
    await visit(page);
    await page.getByText(/After the first backup this shows/).waitFor();
    await page.getByRole("button", { name: "Back up now" }).click();
    await page.getByText("Just now: 2.4 MB in 2 files.").waitFor();
    await page.getByText("Private files of Kim", { exact: true }).waitFor();
    await page.getByText(/The private files of Kim are in no backup yet; they are saved while Kim is logged in/).waitFor();
    await look("backups-private");
    kim.state = "open";
    await page.getByRole("button", { name: "Back up now" }).click();
    await page.getByText("Just now: there were none.").waitFor();
    if ((await page.getByText("Private files of Kim", { exact: true }).count()) > 0) throw new Error("files that were saved are said to be left out");
    const [own, hers] = box.backups.privateFiles;
    const problem = "they were changed again and again while they were saved";
    box.backups.privateFiles = [own, { ...hers, at: hers.at - 100 * HOUR, files: 1, bytes: 1200, problem }];
    box.backups.problems = [`the private files of Kim were not saved: ${problem}`];
    await page.getByText("Not saved", { exact: true }).waitFor();
    await page.getByText(`The last try failed: ${problem}.`).waitFor();
    await look("backups-private-failed");
  },

  async "a backup that fails says why"({ box, page, look }) {
    box.owner = OWNER;
    haveBackups(box, { type: "usb_disk", label: "KEEP" });
    box.backups.failure = "the backup disk cannot be used: no disk that can be pulled out is plugged in";
    await visit(page);
    await page.getByText("The disk called “KEEP”").waitFor();
    await page.getByRole("button", { name: "Back up now" }).click();
    await page.getByText("The last one failed").waitFor();
    await page.getByText(/no disk that can be pulled out is plugged in\./).waitFor();
    await look("backups-failed");
  },

  async "backups go to a store, and somebody else began one"({ box, visitor, page, look }) {
    box.owner = OWNER;
    haveBackups(box, { type: "usb_disk" });
    await visit(page);
    await page.getByRole("button", { name: "Change…" }).click();
    const where = page.getByLabel("Where", { exact: true });
    await waitUntil("the first field has the focus", () => hasFocus(where));
    await where.selectOption("s3");
    const save = page.getByRole("button", { name: "Save" });
    await save.click();
    await page.getByText("Type the name of the bucket. It must exist already.").waitFor();
    await waitUntil("the first wrong field has the focus", () => hasFocus(page.getByLabel("Address of the store")));
    await look("backups-store-refused");
    visitor.expect(422, "/api/v1/backups/settings");
    await page.getByLabel("Address of the store").fill("http://s3.example.net");
    await page.getByLabel("Bucket").fill("our-box");
    await page.getByLabel("Access key").fill("AKIAEXAMPLE");
    await page.getByLabel("Secret key", { exact: true }).fill("hush, hush");
    await page.getByLabel("How often").selectOption("168");
    await page.getByText("How many stay").click();
    await page.getByLabel("Newest").fill("0");
    await save.click();
    await page.getByText("A whole number from 1 to 1,000.").waitFor();
    await page.getByLabel("Newest").fill("2");
    await save.click();
    await page.getByText(/does not begin with https/).waitFor();
    await page.getByLabel("Address of the store").fill("s3.example.net/");
    await save.click();
    await page.getByText("The bucket “our-box” at https://s3.example.net").waitFor();
    await page.getByText(/^Every week/).waitFor();
    await page.getByText(/The 2 newest/).waitFor();
    await page.getByRole("button", { name: "Change…" }).click();
    await page.getByText("The box has it. Type one only to change it.").waitFor();
    await look("backups-store");
    await page.getByRole("button", { name: "Cancel" }).click();
    await waitUntil("the button has the focus again", () => hasFocus(page.getByRole("button", { name: "Change…" })));
    visitor.expect(409, "/api/v1/backups/run");
    // Between two looks of the page.
    box.backups.held = new Promise(() => undefined);
    await page.route("**/api/v1/backups/run", (route) => (box.backups.begin("backup"), route.continue()));
    await page.getByRole("button", { name: "Back up now" }).click();
    await page.getByText(/A backup or a drill runs already/).waitFor();
  },

  async "the recovery kit is printed, with the keys of the store if wished"({ box, visitor, page, look, shots }) {
    box.owner = OWNER;
    haveBackups(box, { type: "s3", endpoint: "https://s3.example.net", bucket: "our-box", region: "us-east-1", access_key: "AKIAEXAMPLE", path: "" });
    box.backups.kitMade = null;
    await visit(page);
    await page.getByText(/Nobody has it yet/).waitFor();
    await page.getByRole("button", { name: "Make the recovery kit" }).click();
    await heading(page, "The recovery kit");
    const password = page.getByLabel("Your password", { exact: true });
    await page.getByRole("button", { name: "Show the kit" }).click();
    await page.getByText(/Type your password/).waitFor();
    visitor.expect(403, "/api/v1/backups/kit");
    await password.fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText(/That is not your password/).waitFor();
    await waitUntil("the password has the focus", () => hasFocus(password));
    await page.getByRole("switch", { name: "With the keys of the store" }).click();
    await page.getByText(/the paper alone is enough/).waitFor();
    await look("kit-password");
    await password.fill(OWNER.password);
    await page.keyboard.press("Enter");
    await heading(page, "Your recovery kit");
    await page.getByText("in this kit", { exact: true }).waitFor();
    await page.getByRole("img", { name: /QR code/ }).waitFor();
    const lines = await page.getByRole("list", { name: "Lines of the kit" }).getByRole("listitem").allInnerTexts();
    if (lines.length !== 5 || !lines.every((line, index) => line.startsWith(`${index + 1}: `))) throw new Error(`the lines are ${lines}`);
    await look("kit");
    await lookAtPaper(page, shots, "kit-paper");
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, document.cookie]));
    if (kept.includes("06Q4Y")) throw new Error(`the browser keeps the kit: ${kept}`);
    await page.getByRole("button", { name: "I have it on paper" }).click();
    await page.getByText(/Keep the paper safe/).waitFor();
    await page.getByRole("button", { name: "Show it again" }).waitFor();
    await look("backups-kit-made");
  },

  async "the recovery kit of a disk"({ box, page, look }) {
    box.owner = OWNER;
    haveBackups(box, { type: "usb_disk", label: "KEEP" });
    await visit(page);
    await page.getByRole("button", { name: "Show it again" }).click();
    await heading(page, "The recovery kit");
    if ((await page.getByRole("switch").count()) > 0) throw new Error("a disk has no keys to print");
    await page.getByLabel("Your password", { exact: true }).fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText("on the disk called “KEEP”").waitFor();
    await look("kit-disk");
  },

  async "backups are stopped after a question"({ box, page, look }) {
    box.owner = OWNER;
    haveBackups(box, { type: "usb_disk" });
    await visit(page);
    await page.getByRole("button", { name: "Stop backups…" }).click();
    await look("backups-stop");
    if (box.backups.settings.target === null) throw new Error("they were stopped before the answer");
    await page.getByRole("dialog").getByRole("button", { name: "Stop backups" }).click();
    await page.getByText("No backups are made any more. Those that were made stay where they are.").waitFor();
    await page.getByText(/A USB stick is enough/).waitFor();
  },
};

function haveBackups(box, target) {
  const at = Math.floor(Date.now() / 1000) - 5 * HOUR;
  const ended = { at, problem: null, shows_damage: false, files: 1, bytes: 184_320, written_bytes: 20_480 };
  box.backups.settings = { ...box.backups.settings, target };
  Object.assign(box.backups, { lastSuccess: at, lastBackup: ended, lastDrill: { ...ended, at: at - 200 * HOUR }, kitMade: at });
}

async function visit(page) {
  await logIn(page);
  await page.getByRole("button", { name: "Backups, recovery kit" }).click();
  await heading(page, "Backups");
}
