// Situations of the encrypted data: locked and unlocked, keys on paper, keys beside the data.

import { waitUntil } from "./lib/browser.mjs";
import { BASE, fillWizard, heading, logIn, OWNER, putOffRecovery } from "./lib/visits.mjs";

const OTHER_TPM = "this key was sealed by another security chip (TPM): was the disk put into another box?";

export const STORAGE_SITUATIONS = {
  async "a locked box is unlocked with the recovery key"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.data.lock([OTHER_TPM], "7Q2M-XVD9-FTHK-3WPZ-80RC-N5JE-B6YA-T4GK-1VSX");
    box.reasons = [`the data is locked: ${OTHER_TPM}`];
    await page.goto(BASE);
    await heading(page, "Your box is locked");
    await page.getByText(/sealed by another security chip/).waitFor();
    await look("locked");
    visitor.expect(403, "/api/v1/storage/unlock");
    const key = page.getByLabel("Recovery key");
    await page.getByRole("button", { name: "Unlock" }).click();
    await page.getByText("Type the recovery key, then unlock.").waitFor();
    await key.fill("7Q2M-XVD9-FTHK-3WPZ-80RC-N5JE-B6YA-T4GK-1VSY");
    await page.getByRole("button", { name: "Unlock" }).click();
    await page.getByText(/That is not a key of this box/).waitFor();
    await look("locked-wrong-key");
    await key.fill("7q2m xvd9 fthk 3wpz 80rc n5je b6ya t4gk 1vsx");
    visitor.mayLose(true);
    box.reasons = [];
    await page.keyboard.press("Enter");
    await heading(page, "That was the right key");
    await look("unlocked");
    await heading(page, "Log in");
  },

  async "too many wrong recovery keys"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.data.lock([OTHER_TPM]);
    box.data.waitSeconds = 600;
    visitor.expect(403, "/api/v1/storage/unlock");
    visitor.expect(429, "/api/v1/storage/unlock");
    await page.goto(BASE);
    for (let tries = 0; tries < 6; tries += 1) {
      await page.getByLabel("Recovery key").fill(`wrong ${tries}`);
      const answered = page.waitForResponse((answer) => answer.request().method() === "POST");
      await page.getByRole("button", { name: "Unlock" }).click();
      await answered;
      await page.locator(".notice-bad").waitFor();
    }
    await page.getByRole("button", { name: /^Wait/ }).waitFor();
    await look("locked-wait");
  },

  async "a locked box that no key on paper opens"({ box, page, look }) {
    box.owner = OWNER;
    box.data.lock([OTHER_TPM], null);
    box.reasons = [`the data is locked: ${OTHER_TPM}`];
    await page.goto(BASE);
    await page.getByText(/No recovery key was ever made/).waitFor();
    await look("locked-for-good");
    if ((await page.getByRole("textbox").count()) > 0) throw new Error("the page asks for a key that nobody can have");
    box.data.open();
    await heading(page, "Log in");
  },

  async "a recovery key that was put off"({ box, visitor, page, look }) {
    await fillWizard(page, box.claimCode);
    await page.getByRole("button", { name: "Set up my box" }).click();
    await putOffRecovery(page);
    await page.getByRole("button", { name: "Go to the home page" }).click();
    await page.getByText(/Nobody has a recovery key for the data yet/).waitFor();
    await look("home-without-recovery-key");
    await page.getByRole("button", { name: "Make a recovery key" }).click();
    await heading(page, "Encrypted data");
    await page.getByRole("button", { name: "I have it on paper" }).waitFor();
    await look("storage-unconfirmed");
    await page.getByRole("button", { name: "Make a recovery key" }).click();
    await heading(page, "A recovery key");
    visitor.expect(403, "/api/v1/storage/recovery-key");
    await page.getByLabel("Your password", { exact: true }).fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText("That is not your password.").waitFor();
    await look("recovery-password");
    await page.getByLabel("Your password", { exact: true }).fill(OWNER.password);
    await page.keyboard.press("Enter");
    await heading(page, "Your recovery key");
    const groups = await page.getByRole("list", { name: "Recovery key, in groups" }).getByRole("listitem").allInnerTexts();
    const code = await page.getByRole("list", { name: "Recovery code, in groups" }).getByRole("listitem").allInnerTexts();
    await page.getByRole("button", { name: "I have it on paper" }).click();
    await page.getByRole("button", { name: "Show it again" }).click();
    await heading(page, "Your recovery key");
    await page.getByRole("button", { name: "I have it on paper" }).click();
    await page.getByLabel("Last two groups of the code").fill(code.slice(-2).join(" "));
    await page.getByLabel("Last two groups of the key").fill(groups.slice(-2).join(" "));
    await page.keyboard.press("Enter");
    await page.getByText(/The new recovery key is right/).waitFor();
    await look("storage");
    await page.getByRole("button", { name: "Back to home" }).click();
    await page.getByText("A recovery key is on paper.").waitFor();
    await waitUntil("the reminder is gone", async () => (await page.getByText(/Nobody has a recovery key/).count()) === 0);
  },

  async "a recovery key where the vault has another password"({ box, visitor, page }) {
    box.owner = OWNER;
    box.vault.password = "the one before the reset";
    await logIn(page);
    await page.getByRole("button", { name: "Make a recovery key" }).click();
    await page.getByRole("button", { name: "Make a recovery key" }).click();
    visitor.expect(403, "/api/v1/vault/recovery-code");
    await page.getByLabel("Your password", { exact: true }).fill(OWNER.password);
    await page.keyboard.press("Enter");
    // The key is made, and is not lost because there is no code beside it.
    await heading(page, "Your recovery key");
    if ((await page.getByRole("list", { name: "Recovery code, in groups" }).count()) > 0) throw new Error("a code is shown that was not made");
  },

  async "no recovery key can be made at set-up"({ box, visitor, page, look }) {
    visitor.expect(503, "/api/v1/storage/recovery-key");
    const body = { error: { code: "keys_unavailable", message: "The box's service for encrypted data does not answer just now. Try again in a moment." } };
    await page.route("**/api/v1/storage/recovery-key", (route) => route.fulfill({ status: 503, json: body }));
    await fillWizard(page, box.claimCode);
    await page.getByRole("button", { name: "Set up my box" }).click();
    await page.getByText(/does not answer just now/).waitFor();
    await look("recovery-unavailable");
    await page.unroute("**/api/v1/storage/recovery-key");
    // The password from a moment ago is still there.
    await page.getByRole("button", { name: "Make the key" }).click();
    await putOffRecovery(page);
    await heading(page, "Your box is ready, Robin");
  },

  async "a key beside the data"({ box, page, look }) {
    box.owner = OWNER;
    box.data.unlock = { state: "opened", by: "boot_key", reasons: ["the key of the data partition lies on the boot partition: there is no TPM"] };
    await logIn(page);
    await page.getByRole("button", { name: "Keys, recovery" }).click();
    await page.getByText(/can read everything on it/).waitFor();
    await look("storage-boot-key");
  },

  async "sealed anew after the recovery key"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.data.lock([OTHER_TPM]);
    box.data.open();
    await logIn(page);
    await page.getByRole("button", { name: "Keys, recovery" }).click();
    await page.getByText("Opened by the recovery key").waitFor();
    await page.getByRole("button", { name: "Seal anew…" }).click();
    visitor.expect(403, "/api/v1/storage/seal");
    await page.getByLabel("Your password", { exact: true }).fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText("That is not your password.").waitFor();
    await look("storage-seal");
    await page.getByLabel("Your password", { exact: true }).fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText(/The data is sealed anew/).waitFor();
    await page.getByText("Opened by the security chip").waitFor();
    await page.getByRole("button", { name: "Change the key…" }).click();
    await page.getByLabel("Your password", { exact: true }).fill(OWNER.password);
    await look("storage-rotate");
    await page.keyboard.press("Enter");
    await page.getByText("The box has a new system key.").waitFor();
  },

  async "an older copy is accepted with the recovery key"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.data.recoveryKey = "7Q2M-XVD9-FTHK-3WPZ-80RC-N5JE-B6YA-T4GK-1VSX";
    box.rollback = { store: 3, last: 9 };
    await page.goto(BASE);
    await heading(page, "This disk is an older copy");
    await page.getByText(/of start number 3; the last start of this box was number 9/).waitFor();
    await look("older-copy");
    visitor.expect(403, "/api/v1/storage/rollback/confirm");
    const key = page.getByLabel("Recovery key");
    await key.fill("wrong");
    await page.getByRole("button", { name: "Accept this copy" }).click();
    await page.getByText(/That is not a key of this box/).waitFor();
    await key.fill("7q2m xvd9 fthk 3wpz 80rc n5je b6ya t4gk 1vsx");
    await page.getByRole("button", { name: "Accept this copy" }).click();
    await heading(page, "Log in");
  },

  async "the service of the keys is away"({ box, visitor, page, look }) {
    box.owner = OWNER;
    visitor.expect(503, "/api/v1/storage");
    const body = { error: { code: "keys_unavailable", message: "The box's service for encrypted data does not answer just now. Try again in a moment." } };
    await page.route("**/api/v1/storage", (route) => route.fulfill({ status: 503, json: body }));
    await logIn(page);
    await page.getByText(/does not answer just now/).waitFor();
    await look("storage-away");
  },

  async "a disk that nears its end, and a box that is erased"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.data.findings = [{ kind: "almost_full", is_grave: false, words: "the disk is 88 % full, 15.0 GB are left: delete what is not needed" }];
    await logIn(page);
    await page.getByRole("button", { name: "Keys, recovery" }).click();
    await page.getByText("Keep an eye on it").waitFor();
    await page.getByRole("button", { name: "Erase everything…" }).click();
    visitor.expect(422, "/api/v1/system/factory-reset");
    await page.getByLabel("The name of this box").fill("another");
    await page.getByLabel("Your password", { exact: true }).fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText("That is not the name of this box.").waitFor();
    await look("storage-erase");
    await page.getByLabel("The name of this box").fill("hearth");
    visitor.mayLose(true);
    await page.keyboard.press("Enter");
    await heading(page, "The box erases everything");
    await look("erased");
    if (!box.erased) throw new Error("nothing was erased");
  },
};
