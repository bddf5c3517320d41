// Situations that only the mock can bring about at will. Each has its own box and its own visitor.

import { launch, tabTo, Visitor, waitUntil } from "./lib/browser.mjs";
import { look } from "./lib/look.mjs";
import { Box } from "./mock/box.mjs";
import { serve } from "./mock/server.mjs";
import { APP_SITUATIONS } from "./apps.mjs";
import { BACKUP_SITUATIONS } from "./backups.mjs";
import { FILES_SITUATIONS } from "./files.mjs";
import { KEY_SITUATIONS } from "./keys.mjs";
import { NETWORK_SITUATIONS } from "./network.mjs";
import { PEOPLE_SITUATIONS } from "./people.mjs";
import { RESTORE_SITUATIONS } from "./restore.mjs";
import { UPDATE_SITUATIONS } from "./updates.mjs";
import { STORAGE_SITUATIONS } from "./storage.mjs";
import { WIFI_SITUATIONS } from "./wifi.mjs";
import { BASE, ELSEWHERE, fillWizard, heading, logIn, OWNER, putOffRecovery } from "./lib/visits.mjs";

/** Runs every situation whose name fits `only`; throws with the name of the one that failed, and where no name fits. */
export async function runStates({ certificates, executable, shots, only = /./ }) {
  const parts = [
    SITUATIONS,
    NETWORK_SITUATIONS,
    WIFI_SITUATIONS,
    STORAGE_SITUATIONS,
    KEY_SITUATIONS,
    APP_SITUATIONS,
    BACKUP_SITUATIONS,
    RESTORE_SITUATIONS,
    FILES_SITUATIONS,
    PEOPLE_SITUATIONS,
    UPDATE_SITUATIONS,
  ];
  const chosen = parts.flatMap((part) => Object.entries(part)).filter(([name]) => only.test(name));
  if (chosen.length === 0) throw new Error(`no situation has a name that fits ${only}`);
  for (const [name, play] of chosen) {
    process.stdout.write(`states: ${name}\n`);
    const box = new Box(certificates.ca);
    const { port, close } = await serve(box, certificates);
    const browser = await launch({ hostMap: `MAP hearth.local:443 127.0.0.1:${port}, MAP 192.168.1.20:443 127.0.0.1:${port}`, executable });
    try {
      const visitor = await Visitor.enter(browser, [BASE, ELSEWHERE]);
      visitor.expect(401, "/api/v1/session");
      await play({ box, visitor, page: visitor.page, look: (picture) => look(visitor.page, shots, picture), shots });
      visitor.check("the page did something it must not");
    } catch (error) {
      throw new Error(`in “${name}”: ${error.message}`, { cause: error });
    } finally {
      await browser.close();
      await close();
    }
  }
}

const SITUATIONS = {
  async "five wrong codes make a new one"({ box, visitor, page, look }) {
    visitor.expect(403, "/api/v1/setup");
    await fillWizard(page, "0000-0000-0000");
    for (const words of [/4 tries left/, /3 tries left/, /2 tries left/, /1 try left/, /made a new one/]) {
      await page.getByRole("button", { name: "Set up my box" }).click();
      await page.getByText(words).waitFor();
      if (`${words}` === "/made a new one/") break;
      await page.getByRole("button", { name: "Continue" }).click();
    }
    await look("new-code");
    await page.getByLabel("Claim code").fill(box.claimCode);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("button", { name: "Set up my box" }).click();
    await putOffRecovery(page);
    await heading(page, "Your box is ready, Robin");
  },

  async "a slow set-up shows its progress"({ box, page, look }) {
    box.hashingMs = 12_000;
    await fillWizard(page, box.claimCode);
    await page.getByRole("button", { name: "Set up my box" }).click();
    await page.getByText(/Creating your account/).waitFor();
    await look("setting-up");
    // A second press must not send a second request.
    await page.keyboard.press("Enter");
    await page.getByText(/Making a new key/).waitFor();
    await look("making-recovery-key");
    await putOffRecovery(page);
    await heading(page, "Your box is ready, Robin");
    const sent = box.seen.filter((each) => each === "POST /setup").length;
    if (sent !== 1) throw new Error(`the set-up was sent ${sent} times`);
  },

  async "the box refuses a field"({ box, visitor, page }) {
    visitor.expect(422, "/api/v1/setup");
    const body = { error: { code: "invalid_field", message: "That password is too well known.", field: "owner.password" } };
    await page.route("**/api/v1/setup", (route) => route.fulfill({ status: 422, json: body }));
    await fillWizard(page, box.claimCode);
    await page.getByRole("button", { name: "Set up my box" }).click();
    await heading(page, "Your account");
    await page.getByText("That password is too well known.").waitFor();
  },

  async "somebody else was quicker"({ box, visitor, page, look }) {
    visitor.expect(409, "/api/v1/setup");
    await fillWizard(page, box.claimCode);
    box.owner = { name: "Mallory", password: "long enough to count" };
    await page.getByRole("button", { name: "Set up my box" }).click();
    await heading(page, "This box is already set up");
    await look("taken");
    await page.getByRole("button", { name: "Go to login" }).click();
    await heading(page, "Log in");
  },

  async "the answer to the set-up is lost"({ box, visitor, page }) {
    await fillWizard(page, box.claimCode);
    visitor.mayLose(true);
    await page.route("**/api/v1/setup", async (route) => {
      await route.fetch({ ignoreHTTPSErrors: true }).catch(() => undefined);
      box.owner ??= OWNER;
      await route.abort("connectionreset");
    });
    await page.getByRole("button", { name: "Set up my box" }).click();
    await heading(page, "This box is already set up");
  },

  async "something is degraded"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.reasons = ["netd: exited with code 1, next try in 60 s", "the disk is nearly full"];
    box.services[0] = { name: "netd", state: "degraded", restarts: 11, reason: "exited with code 1; next try in 60 s", status: null };
    box.services.push({ name: "updater", state: "waiting", restarts: 0, reason: "waits for netd", status: null });
    box.diskUsed = 0.97;
    await logIn(page);
    await page.getByText("Something needs attention").waitFor();
    await page.getByText("Keeps failing").waitFor();
    await look("degraded");
    visitor.check("before the box recovers");
    box.reasons = [];
    await page.getByText("Everything is running").waitFor();
  },

  async "the connection is lost and comes back"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await logIn(page);
    visitor.mayLose(true);
    box.unreachable = true;
    await page.getByText("The box does not answer.").waitFor();
    await page.getByRole("heading", { name: "Services" }).waitFor();
    await look("connection-lost");
    box.unreachable = false;
    await page.getByRole("button", { name: "Try now" }).click();
    await page.getByText("The box does not answer.").waitFor({ state: "detached" });
  },

  async "no polling while nobody looks"({ box, page }) {
    box.owner = OWNER;
    await logIn(page);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    // One try may be under way; after that there must be silence for longer than one turn.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const before = box.seen.length;
    await new Promise((resolve) => setTimeout(resolve, 7000));
    if (box.seen.length !== before) throw new Error(`a hidden page asked ${box.seen.length - before} times`);
    await page.evaluate(() => {
      delete document.hidden;
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await waitUntil("the page asks again", () => box.seen.length > before);
  },

  async "the session ends"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await logIn(page);
    for (const path of ["system", "network", "storage", "backups", "updates", "apps", "logs"]) visitor.expect(401, `/api/v1/${path}`);
    box.sessions.clear();
    await page.getByText(/You were logged out/).waitFor();
    await look("logged-out");
  },

  async "too many wrong passwords"({ box, visitor, page, look }) {
    box.owner = OWNER;
    visitor.expect(429, "/api/v1/session");
    await page.goto(BASE);
    await page.getByLabel("Name").fill(OWNER.name);
    for (let tries = 0; tries < 6; tries += 1) {
      await page.getByLabel("Password", { exact: true }).fill(`wrong ${tries}`);
      const answered = page.waitForResponse((answer) => answer.request().method() === "POST");
      await page.getByRole("button", { name: "Log in" }).click();
      await answered;
      await page.locator(".notice-bad").waitFor();
    }
    await page.getByRole("button", { name: /^Wait/ }).waitFor();
    await look("login-wait");
  },

  async "a restart"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.rebootMs = 14_000;
    await logIn(page);
    await tabTo(page, page.getByRole("button", { name: "Restart…" }));
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Restart…" }).click();
    await look("restart-question");
    if (box.seen.includes("POST /system/reboot")) throw new Error("the box was restarted before the answer");
    visitor.mayLose(true);
    await page.getByRole("dialog").getByRole("button", { name: "Restart" }).click();
    await page.getByText("The box is starting up.").waitFor();
    await look("restarting");
    await page.getByRole("heading", { name: "Services" }).waitFor();
  },

  async "a switch-off"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await logIn(page);
    visitor.mayLose(true);
    await page.getByRole("button", { name: "Switch off…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Switch off" }).click();
    await heading(page, "The box is off");
    await look("off");
  },

  async "no answer at first"({ visitor, page, look }) {
    visitor.mayLose(true);
    await page.route("**/api/v1/status", (route) => route.abort("connectionrefused"));
    await page.goto(BASE);
    await heading(page, "The box cannot be reached");
    await look("no-answer");
    await page.unroute("**/api/v1/status");
    await heading(page, "Welcome home");
  },
};
