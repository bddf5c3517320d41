// Situations of a new box that becomes the household of a backup.

import { hasFocus, waitUntil } from "./lib/browser.mjs";
import { BASE, heading, OWNER } from "./lib/visits.mjs";

const LINES = "1: 06Q4Y-7ZK2M-XVD9F-TH3WP-4J\n2: Z80RC-N5JEB-6YAT4-GK1VS-XA\n3: HD0X2-ZC";

export const RESTORE_SITUATIONS = {
  async "a household is restored from its kit and its disk"({ box, visitor, page, look }) {
    let go;
    box.restoring.held = new Promise((resolve) => (go = resolve));
    box.restoredOwner = OWNER;
    box.rebootMs = 14_000;
    await begin(page);
    await look("restore");
    const [code, kit] = [page.getByLabel("Claim code"), page.getByLabel("Recovery kit")];
    const send = page.getByRole("button", { name: "Restore", exact: true });
    await send.click();
    await page.getByText("Type the claim code that the box shows.").waitFor();
    await page.getByText(/Type the numbered lines of the kit/).waitFor();
    await waitUntil("the first wrong field has the focus", () => hasFocus(code));
    visitor.expect(403, "/api/v1/setup/restore");
    await code.fill("000000000000");
    await kit.fill(LINES);
    await send.click();
    await page.getByText(/4 tries left/).waitFor();
    await look("restore-wrong-code");
    await code.fill(box.claimCode);
    // Enter is a new line in the kit, and sends nothing.
    await kit.press("End");
    await kit.press("Enter");
    await heading(page, "Bring your household back");
    await send.click();
    await page.getByRole("progressbar", { name: "The restore" }).waitFor();
    await look("restoring");
    visitor.mayLose(true);
    go();
    await heading(page, "Your household is back");
    await look("restored");
    await heading(page, "Log in");
    if (box.restoring.taken.target !== undefined) throw new Error("a place was sent although the kit says it");
    await page.getByLabel("Name").fill(OWNER.name);
    await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Services" }).waitFor();
  },

  async "a damaged backup is refused, and the box is set up anew"({ box, page, look }) {
    box.restoring.failure = "The backup is damaged: pack 5f1c is not as it was written.";
    await begin(page, box.claimCode);
    const chooser = page.getByLabel("File with the kit");
    const html = `<!doctype html><html><body><h1>Hearth recovery kit</h1><pre>${LINES}</pre></body></html>`;
    await chooser.setInputFiles({ name: "kit.html", mimeType: "text/html", buffer: Buffer.from(html) });
    await waitUntil("the kit is in the field", async () => (await page.getByLabel("Recovery kit").inputValue()) === LINES);
    await page.getByRole("button", { name: "Restore", exact: true }).click();
    await page.getByText(/pack 5f1c is not as it was written/).waitFor();
    await look("restore-refused");
    await page.getByRole("button", { name: "Set up a new household" }).click();
    await heading(page, "Welcome home");
    if ((await page.getByLabel("Claim code").inputValue()) === "") throw new Error("the claim code is to be typed again");
  },

  async "a kit without the keys of its store asks for them"({ box, visitor, page, look }) {
    box.restoring.kitLacksAccess = true;
    box.restoring.held = new Promise(() => undefined);
    await begin(page, box.claimCode);
    await page.getByLabel("Recovery kit").fill("what is this");
    const send = page.getByRole("button", { name: "Restore", exact: true });
    await send.click();
    await page.getByText(/That is no recovery kit/).waitFor();
    await page.getByLabel("Recovery kit").fill('hearth-kit:1:0123456789abcdef:{"household":"5f1c"}');
    visitor.expect(422, "/api/v1/setup/restore");
    await send.click();
    await page.getByText(/does not have the access to the place/).waitFor();
    await look("restore-place");
    await page.getByLabel("Address of the store").fill("https://s3.example.net");
    await page.getByLabel("Bucket").fill("our-box");
    await page.getByLabel("Access key").fill("AKIAEXAMPLE");
    await page.getByLabel("Secret key", { exact: true }).fill("hush, hush");
    await send.click();
    await heading(page, "Restoring your household");
    if (box.restoring.taken.target?.bucket !== "our-box") throw new Error("the place was not sent");
    box.owner = OWNER;
    visitor.expect(409, "/api/v1/setup/restore");
    await heading(page, "Log in");
  },
};

async function begin(page, code) {
  await page.goto(BASE);
  await heading(page, "Welcome home");
  if (code) await page.getByLabel("Claim code").fill(code);
  await page.getByRole("button", { name: "This household had a box before" }).click();
  await heading(page, "Bring your household back");
}
