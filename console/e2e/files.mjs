// Situations of the account and of private files: passwords, recovery codes, files on their way.

import { hasFocus, tabTo, waitUntil } from "./lib/browser.mjs";
import { lookAtPaper } from "./lib/look.mjs";
import { BASE, heading, logIn, OWNER } from "./lib/visits.mjs";
import { Refusal } from "./mock/contract.mjs";

const NEW_PASSWORD = "cold rivers carry the day";
const CODE = "0H8K-2QWM-5T9X-ZJ3N-P7VD-R4CF-6YAB-E1GS-WX20";
const LONG = `${"Steuererklärung und alle Belege des Jahres, ".repeat(4)}Teil 1.pdf`;
const UNBROKEN = `${"x".repeat(196)}.txt`;
/** Reads as a picture where nothing is done about it. */
const TURNED = "holiday\u202Egpj.exe";

export const FILES_SITUATIONS = {
  async "another password, and the vault stays open"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await logIn(page);
    await tabTo(page, page.getByRole("button", { name: "Change password" }));
    await page.keyboard.press("Enter");
    await heading(page, "Your account");
    await look("account");
    const [old, fresh, again] = ["Password you have now", "New password", "New password once more"].map((name) => page.getByLabel(name, { exact: true }));
    await fresh.fill("short");
    await page.keyboard.press("Enter");
    await page.getByText("Type the password you have now.").waitFor();
    await page.getByText("5 more to go").waitFor();
    await focusOn("the first wrong field", old);
    visitor.expect(403, "/api/v1/account/password");
    await old.fill("not the password");
    await fresh.fill(NEW_PASSWORD);
    await again.fill(NEW_PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByText("That is not the password you have now.").waitFor();
    await focusOn("the wrong password", old);
    await look("account-wrong");
    await old.fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText(/Your private files stay open/).waitFor();
    await look("account-changed");
    if (box.owner.password !== NEW_PASSWORD) throw new Error("the password is as before");
    for (const field of [old, fresh, again]) if ((await field.inputValue()) !== "") throw new Error("a password still stands in the form");
    await page.reload();
    await heading(page, "Your account");
  },

  async "a forgotten password, by the recovery code"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.vault.code = CODE;
    box.vault.state = "locked";
    await page.goto(BASE);
    await page.getByLabel("Name").fill(OWNER.name);
    await page.getByRole("button", { name: "Forgot your password?" }).click();
    await heading(page, "Choose a new password");
    if ((await page.getByLabel("Name").inputValue()) !== OWNER.name) throw new Error("the name is to be typed again");
    await look("forgot");
    const code = page.getByLabel("Recovery code");
    const send = page.getByRole("button", { name: "Set the new password" });
    await code.fill(CODE.slice(0, -2));
    await send.click();
    await page.getByText("2 more to go").waitFor();
    await focusOn("the code", code);
    await page.getByLabel("New password", { exact: true }).fill(NEW_PASSWORD);
    await page.getByLabel("New password once more", { exact: true }).fill(NEW_PASSWORD);
    visitor.expect(422, "/api/v1/account/reset");
    await code.fill(CODE.replace("5T9X", "5U9X"));
    await send.click();
    await page.getByText("letter 10 of the recovery code, is in no code").waitFor();
    visitor.expect(403, "/api/v1/account/reset");
    await code.fill(CODE.replace("5T9X", "5T9Y"));
    await send.click();
    await page.getByText(/do not go together/).waitFor();
    await look("forgot-wrong");
    await code.fill(CODE.toLowerCase().replaceAll("-", " "));
    await send.click();
    await heading(page, "Log in");
    await page.getByText(/You have a new password/).waitFor();
    await look("forgot-done");
    await page.getByLabel("Password", { exact: true }).fill(NEW_PASSWORD);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Services" }).waitFor();
  },

  async "locked files are opened by password, and locked at once"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await visit(box, page);
    await page.getByText(/Nothing is here yet/).waitFor();
    await look("files-empty");
    await page.getByRole("button", { name: "Lock now" }).click();
    const password = page.getByLabel("Your password", { exact: true });
    await password.waitFor();
    await look("files-locked");
    visitor.expect(403, "/api/v1/vault/unlock");
    await page.getByRole("button", { name: "Open", exact: true }).click();
    await page.getByText("Type your password.").waitFor();
    await focusOn("the password", password);
    await password.fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText(/only the recovery code opens them/).waitFor();
    await look("files-locked-wrong");
    await password.fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText("Your files are open.").waitFor();
    box.vault.state = "busy";
    await page.reload();
    await page.getByText("Locking", { exact: true }).waitFor();
    await look("files-busy");
  },

  async "files of a restored box are opened, and what does not open is named"({ box, page, look }) {
    box.owner = OWNER;
    Object.assign(box.vault, { state: "locked", restored: { files: 0, files_total: 0, bytes: 0, bytes_total: 0 } });
    await visit(box, page);
    await page.getByLabel("Your password", { exact: true }).fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText("That was right. Your files come from the backup now.").waitFor();
    await page.getByText("Coming from the backup").waitFor();
    await page.getByText(/Looking what there is of yours/).waitFor();
    box.vault.opening = { files: 312, files_total: 940, bytes: 41e8, bytes_total: 96e8 };
    const bar = page.getByRole("progressbar", { name: "Your files from the backup" });
    await bar.waitFor();
    await page.getByText("312 of 940 files opened.").waitFor();
    await look("files-opening");
    box.vault.endOpening([file("notes.txt")]);
    await page.getByText("1 file,").waitFor();
    if ((await page.getByText(/That was right/).count()) > 0) throw new Error("the files are said to be on their way still");
    Object.assign(box.vault, { state: "busy", opening: { files: 312, files_total: 940, bytes: 41e8, bytes_total: 96e8 } });
    await page.getByRole("button", { name: "Back to home" }).click();
    await page.getByRole("button", { name: "Change password" }).click();
    await bar.waitFor();
    await look("account-opening");
    await page.goBack();
    await page.getByRole("button", { name: "Show them" }).click();
    await bar.waitFor();
    const why = "what the backup has of it was changed";
    box.vault.endOpening([file("notes.txt")], `private files from the backup could not be opened: ${LONG} (${why}), ${TURNED} (${why}), and 3 more`);
    await page.getByText(/could not be opened: Steuer.*holiday\uFFFDgpj\.exe .*, and 3 more\./).waitFor();
    await page.getByText("1 file,").waitFor();
    await look("files-unopened");
  },

  async "locked files are opened by the recovery code, and by the password from then on"({ box, visitor, page, look }) {
    box.owner = OWNER;
    Object.assign(box.vault, { state: "locked", code: CODE, password: "the one before the reset" });
    await visit(box, page);
    const turn = page.getByRole("button", { name: "Use the recovery code instead" });
    await turn.click();
    const code = page.getByLabel("Recovery code");
    await focusOn("the code", code);
    await page.getByRole("button", { name: "Open", exact: true }).click();
    await page.getByText("Type the recovery code from your paper").waitFor();
    visitor.expect(403, "/api/v1/vault/unlock");
    await code.fill(CODE.replace("5T9X", "5T9Y"));
    await page.getByRole("button", { name: "Open", exact: true }).click();
    await page.getByText(/not the recovery code of your files/).waitFor();
    await look("files-code-wrong");
    await code.fill(CODE);
    await page.getByLabel("Password you log in with, if you know it", { exact: true }).fill(OWNER.password);
    await page.getByRole("button", { name: "Open", exact: true }).click();
    await page.getByText("Your files are open.").waitFor();
    if (box.vault.password !== undefined) throw new Error("the password does not open the vault");
  },

  async "files that nobody can open are given up"({ box, visitor, page, look }) {
    box.owner = OWNER;
    Object.assign(box.vault, { state: "locked", password: "the one that nobody knows", files: [file("old.txt")] });
    await visit(box, page);
    const opener = page.getByRole("button", { name: "Give them up…" });
    await opener.click();
    const words = page.getByLabel("Are you sure?");
    await focusOn("the first field", words);
    await page.getByRole("button", { name: "Keep them" }).click();
    await focusOn("the button that opened the form", opener);
    await opener.click();
    await words.fill("yes");
    await page.keyboard.press("Enter");
    await page.getByText("Type begin anew, if that is what you want.").waitFor();
    await words.fill("Begin anew");
    visitor.expect(403, "/api/v1/vault/new");
    const password = page.getByLabel("Password you log in with", { exact: true });
    await password.fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText("That is not your password.").waitFor();
    await look("files-give-up");
    if (box.vault.putBy > 0) throw new Error("the files were given up with a wrong password");
    await password.fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText(/a new, empty place/).waitFor();
    await page.getByText(/Nothing is here yet/).waitFor();
    if (box.vault.putBy !== 1) throw new Error(`${box.vault.putBy} vaults were given up`);
  },

  async "a recovery code for the files alone"({ box, visitor, page, look, shots }) {
    box.owner = OWNER;
    await visit(box, page);
    await page.getByRole("button", { name: "Make a recovery code" }).click();
    await heading(page, "A recovery code");
    await look("code-password");
    visitor.expect(403, "/api/v1/vault/recovery-code");
    await page.getByLabel("Your password", { exact: true }).fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText(/no code was made/).waitFor();
    await focusOn("the password", page.getByLabel("Your password", { exact: true }));
    await page.getByLabel("Your password", { exact: true }).fill(OWNER.password);
    await page.keyboard.press("Enter");
    await heading(page, "Your recovery code");
    const groups = await page.getByRole("list", { name: "Recovery code, in groups" }).getByRole("listitem").allInnerTexts();
    await look("code-shown");
    await lookAtPaper(page, shots, "code-paper");
    await page.getByRole("button", { name: "Not now" }).click();
    await page.getByText(/its end was not typed back yet/).waitFor();
    await look("files-code-waiting");
    await page.getByRole("button", { name: "I have it on paper" }).click();
    const end = page.getByLabel("Last two groups of the code");
    await end.fill("0000");
    await page.keyboard.press("Enter");
    await page.getByText("4 more to go").waitFor();
    visitor.expect(403, "/api/v1/vault/recovery-code/confirm");
    await end.fill("00000000");
    await page.keyboard.press("Enter");
    await page.getByText(/not the end of the new code/).waitFor();
    await focusOn("the end", end);
    await look("code-end-wrong");
    await end.fill(groups.slice(-2).join(" "));
    await page.keyboard.press("Enter");
    await page.getByText(/The recovery code is right/).waitFor();
    await page.getByRole("button", { name: "Make a new one" }).waitFor();
    await look("files-code-confirmed");
  },

  async "files are added, replaced and removed, whatever they are called"({ box, page, look }) {
    box.owner = OWNER;
    box.vault.files = [file("notes.txt"), file(LONG), file(UNBROKEN), file(TURNED), file("a   b"), file("عطلة 2024.jpg"), file("👩‍🚒.png")];
    await visit(box, page);
    await page.getByText("7 files,").waitFor();
    await page.getByText("holiday\uFFFDgpj.exe").waitFor();
    await look("files-names");
    let go;
    box.vault.held = new Promise((resolve) => (go = resolve));
    const chooser = page.getByLabel("Files to add");
    await chooser.setInputFiles([upload("first.bin", 12_000_000), upload("second.bin", 10), upload("empty.bin", 0)]);
    await page.getByText(/File 1 of 3: first.bin/).waitFor();
    const bar = page.getByRole("progressbar", { name: "Sending to the box" });
    await bar.waitFor();
    await look("files-sending");
    go();
    await page.getByText("3 files are on the box now.").waitFor();
    await page.getByText("10 files,").waitFor();
    if (box.vault.files.find(({ name }) => name === "first.bin")?.bytes !== 12_000_000) throw new Error("the first file is not whole");
    await chooser.setInputFiles([upload("notes.txt", 7), upload("new.txt", 8)]);
    await page.getByRole("heading", { name: "Replace this file?" }).waitFor();
    await look("files-replace");
    await page.getByRole("button", { name: "Cancel" }).click();
    if (box.vault.files.some(({ name }) => name === "new.txt")) throw new Error("a file was sent although somebody said no");
    await chooser.setInputFiles([upload("notes.txt", 7)]);
    await page.getByRole("button", { name: "Replace" }).click();
    await page.getByText("1 file is on the box now.").waitFor();
    await waitUntil("the file is replaced", () => box.vault.files.find(({ name }) => name === "notes.txt").bytes === 7);
    await page.getByRole("button", { name: "Remove notes.txt" }).click();
    await page.getByRole("heading", { name: "Remove this file?" }).waitFor();
    await look("files-remove");
    await page.getByRole("button", { name: "Remove for good" }).click();
    await page.getByRole("link", { name: "notes.txt" }).waitFor({ state: "detached" });
    await focusOn("the button that is still there", page.getByRole("button", { name: "Add files" }));
    await page.getByText("9 files,").waitFor();
  },

  async "files that do not fit, and a full disk"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.vault.files = [file("notes.txt")];
    box.vault.refusals.set("fourth.txt", new Refusal(507, "disk_full", "The box's disk is full."));
    box.vault.refusals.set("third.txt", new Refusal(413, "too_large", "The file is larger than 16 MiB."));
    await visit(box, page);
    for (const status of [413, 507]) for (const name of ["third.txt", "fourth.txt"]) visitor.expect(status, `/api/v1/vault/files/${name}`);
    const sizes = { "big.iso": 17_000_000, "second.txt": 10, "third.txt": 10, "fourth.txt": 10, "fifth.txt": 10 };
    await page.getByLabel("Files to add").setInputFiles(Object.entries(sizes).map(([name, size]) => upload(name, size)));
    await page.getByText(/The disk of the box is full/).waitFor();
    await page.getByText("1 file is on the box now. 1 more was not sent.").waitFor();
    await look("files-refused");
    const sent = box.seen.filter((each) => each.startsWith("PUT")).length;
    if (sent !== 3) throw new Error(`${sent} files were sent`);
  },

  async "sending is stopped, and files are locked meanwhile"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await visit(box, page);
    box.vault.held = new Promise(() => undefined);
    const chooser = page.getByLabel("Files to add");
    await chooser.setInputFiles([upload("first.bin", 12_000_000), upload("second.bin", 10)]);
    await page.getByRole("button", { name: "Stop sending" }).click();
    await page.getByText("2 were not sent.").waitFor();
    box.vault.held = Promise.resolve();
    box.vault.state = "locked";
    visitor.expect(409, "/api/v1/vault/files/third.txt");
    await chooser.setInputFiles([upload("third.txt", 10)]);
    await page.getByText(/were locked meanwhile/).waitFor();
    await page.getByRole("heading", { name: "Open your files" }).waitFor();
    await page.getByText(/were locked meanwhile/).waitFor();
    await look("files-locked-meanwhile");
  },
};

async function visit(box, page) {
  await logIn(page);
  await page.getByRole("button", { name: "Show them" }).click();
  await heading(page, "Private files");
}

function focusOn(what, locator) {
  return waitUntil(`the focus is on ${what}`, () => hasFocus(locator));
}

function file(name) {
  return { name, bytes: 48_213, modified_unix: 1_760_000_000 };
}

function upload(name, size) {
  return { name, mimeType: "application/octet-stream", buffer: Buffer.alloc(size, "x") };
}
