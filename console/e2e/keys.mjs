// Situations of keys: a passphrase on a box without security chip, and another key for the whole disk.

import { hasFocus, waitUntil } from "./lib/browser.mjs";
import { BASE, fillWizard, heading, logIn, OWNER, putOffRecovery } from "./lib/visits.mjs";

const KEY = "7Q2M-XVD9-FTHK-3WPZ-80RC-N5JE-B6YA-T4GK-1VSX";
const PASSPHRASE = "six geese on the long wall";
const WITHOUT_CHIP = { state: "opened", by: "boot_key", reasons: ["the key of the data partition lies on the boot partition: there is no TPM"] };

export const KEY_SITUATIONS = {
  async "a box without chip asks at set-up, and gets a passphrase"({ box, visitor, page, look }) {
    box.data.unlock = WITHOUT_CHIP;
    await fillWizard(page, box.claimCode);
    await page.getByRole("button", { name: "Set up my box" }).click();
    await putOffRecovery(page);
    await heading(page, "Who opens the data at each start?");
    await page.getByText(/First the recovery key must be on paper/).waitFor();
    await look("opening-without-recovery-key");
    await page.getByRole("button", { name: "Make the recovery key now" }).click();
    await heading(page, "Your recovery key");
    await confirmRecovery(page);
    await heading(page, "Who opens the data at each start?");
    await look("opening");
    await page.getByRole("button", { name: "Ask me at each start" }).click();
    await heading(page, "Choose a passphrase");
    const [passphrase, again] = ["Passphrase", "Passphrase once more"].map((name) => page.getByLabel(name, { exact: true }));
    await waitUntil("the passphrase has the focus", () => hasFocus(passphrase));
    await passphrase.fill("short");
    await page.keyboard.press("Enter");
    await page.getByText("7 more to go").waitFor();
    await passphrase.fill(PASSPHRASE);
    await again.fill("something else");
    await page.keyboard.press("Enter");
    await page.getByText("The two differ. Show them to compare.").waitFor();
    await look("opening-passphrase");
    await again.fill(PASSPHRASE);
    await page.keyboard.press("Enter");
    await heading(page, "Your box is ready, Robin");
    if (box.data.passphrase !== PASSPHRASE) throw new Error("the box has no passphrase");
    visitor.check("the page did something it must not");
  },

  async "a box without chip goes on opening by itself"({ box, page }) {
    box.data.unlock = WITHOUT_CHIP;
    await fillWizard(page, box.claimCode);
    await page.getByRole("button", { name: "Set up my box" }).click();
    await putOffRecovery(page);
    await page.getByRole("button", { name: "Open by itself" }).click();
    await heading(page, "Your box is ready, Robin");
    if (box.data.passphrase !== undefined) throw new Error("a passphrase was set");
  },

  async "a box that asks at every start"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.data.passphrase = PASSPHRASE;
    box.data.lock(["nobody has typed the passphrase yet"], KEY);
    await page.goto(BASE);
    await heading(page, "Your box is locked");
    const field = page.getByLabel("Passphrase or recovery key", { exact: true });
    await look("locked-passphrase");
    visitor.expect(403, "/api/v1/storage/unlock");
    await field.fill(PASSPHRASE.toUpperCase());
    await page.keyboard.press("Enter");
    await page.getByText(/Check capital letters of the passphrase/).waitFor();
    await waitUntil("the field has the focus", () => hasFocus(field));
    await field.fill(PASSPHRASE);
    visitor.mayLose(true);
    await page.keyboard.press("Enter");
    await heading(page, "That was the right key");
    await heading(page, "Log in");
    await logIn(page);
    await page.getByText("Opened by a passphrase").waitFor();
  },

  async "a passphrase is set later"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.data.unlock = WITHOUT_CHIP;
    await visit(page);
    await page.getByText(/a passphrase can be forgotten/).waitFor();
    if ((await page.getByRole("button", { name: "Seal anew…" }).count()) > 0) throw new Error("a box without chip offers a seal");
    box.data.recoveryKey = KEY;
    await page.getByRole("button", { name: "Set a passphrase…" }).click();
    await page.getByLabel("Passphrase", { exact: true }).fill(PASSPHRASE);
    await page.getByLabel("Passphrase once more", { exact: true }).fill(PASSPHRASE);
    const password = page.getByLabel("Your password", { exact: true });
    await password.fill("not the password");
    visitor.expect(403, "/api/v1/storage/passphrase");
    await page.keyboard.press("Enter");
    await page.getByText(/That is not your password/).waitFor();
    await waitUntil("the password has the focus", () => hasFocus(password));
    await look("storage-passphrase");
    await password.fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText(/From the next start on, the box asks/).waitFor();
    await page.getByRole("button", { name: "Change the passphrase…" }).waitFor();
    await look("storage-passphrase-set");
  },

  async "the whole disk gets another key"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await visit(page);
    await page.getByText(/For this a recovery key must be on paper. Make one first/).waitFor();
    box.data.recoveryKey = KEY;
    await page.getByRole("button", { name: "Change the key of the disk…" }).click();
    const [key, password] = [page.getByRole("textbox", { name: "Recovery key" }), page.getByLabel("Your password", { exact: true })];
    await waitUntil("the key has the focus", () => hasFocus(key));
    await key.fill(KEY.replace("VSX", "VSY"));
    await password.fill(OWNER.password);
    visitor.expect(403, "/api/v1/storage/rotate");
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByText(/That is not the recovery key of this box/).waitFor();
    await look("storage-volume-key");
    await key.fill(KEY.toLowerCase());
    await page.getByRole("button", { name: "Change it" }).click();
    await page.getByRole("progressbar", { name: "The new key" }).waitFor();
    box.data.rotation = { percent: 37, problem: null };
    await page.getByText("37 % of the disk has the new key.").waitFor();
    if ((await page.getByRole("button", { name: "Make a new one" }).count()) > 0) throw new Error("another key can be changed meanwhile");
    await look("storage-rotating");
    box.data.rotation = { percent: null, problem: "the disk does not take what is written" };
    await page.getByText(/It stopped: the disk does not take/).waitFor();
    await look("storage-rotation-stopped");
    box.data.rotation = null;
    await page.getByRole("button", { name: "Change the key of the disk…" }).waitFor();
  },
};

async function confirmRecovery(page) {
  const [key, code] = await Promise.all(
    ["Recovery key, in groups", "Recovery code, in groups"].map((name) => page.getByRole("list", { name }).getByRole("listitem").allInnerTexts()),
  );
  await page.getByRole("button", { name: "I have it on paper" }).click();
  await page.getByLabel("Last two groups of the key").fill(key.slice(-2).join(""));
  await page.getByLabel("Last two groups of the code").fill(code.slice(-2).join(""));
  await page.keyboard.press("Enter");
}

async function visit(page) {
  await logIn(page);
  await page.getByRole("button", { name: "Keys, recovery" }).click();
  await heading(page, "Encrypted data");
}
