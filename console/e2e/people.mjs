// Situations of the household's people: newcomers, forgotten passwords, what a member sees; another key for one's files.

import { hasFocus, waitUntil } from "./lib/browser.mjs";
import { BASE, heading, logIn, OWNER } from "./lib/visits.mjs";
import { Vault } from "./mock/vault.mjs";

const KIM = { name: "Kim", password: "blue kettle on the shelf" };
const NEW_PASSWORD = "cold rivers carry the day";

export const PEOPLE_SITUATIONS = {
  async "somebody is added, gets a new password, and is removed"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await visit(page);
    await page.getByText("Robin (you)").waitFor();
    const add = page.getByRole("button", { name: "Add", exact: true });
    await add.click();
    await page.getByText(/Type a name; it is what they log in with/).waitFor();
    await waitUntil("the name has the focus", () => hasFocus(page.getByLabel("Name", { exact: true })));
    await look("people-add-refused");
    visitor.expect(409, "/api/v1/users");
    await page.getByLabel("Name", { exact: true }).fill(OWNER.name);
    await page.getByLabel("Their first password", { exact: true }).fill(KIM.password);
    await page.getByLabel("Their first password once more", { exact: true }).fill(KIM.password);
    await page.getByLabel("Your own password", { exact: true }).fill(OWNER.password);
    await add.click();
    await page.getByText(/logs in already/).waitFor();
    await page.getByLabel("Name", { exact: true }).fill(` ${KIM.name} `);
    await add.click();
    await page.getByText("Kim can log in now.").waitFor();
    await look("people");
    await page.getByRole("button", { name: "New password for Kim" }).click();
    await page.getByText(/Their private files stay closed/).waitFor();
    const fresh = page.getByLabel("Their new password", { exact: true });
    await waitUntil("the new password has the focus", () => hasFocus(fresh));
    await fresh.fill(NEW_PASSWORD);
    await page.getByLabel("Their new password once more", { exact: true }).fill(NEW_PASSWORD);
    const own = page.getByLabel("Your own password", { exact: true });
    visitor.expect(403, "/api/v1/users/Kim/password");
    await own.first().fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText(/That is not your password/).waitFor();
    await look("people-reset");
    await own.first().fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText("Kim has a new password.").waitFor();
    if (box.members[0].password !== NEW_PASSWORD) throw new Error("the password is as before");
    await page.getByRole("button", { name: "Remove Kim" }).click();
    await look("people-remove");
    await own.first().fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByText("Kim is removed, with their private files.").waitFor();
    if (box.members.length > 0) throw new Error("Kim is still there");
  },

  async "a member sees what is theirs"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.members = [{ ...KIM, vault: new Vault() }];
    await page.goto(BASE);
    await page.getByLabel("Name").fill(KIM.name);
    await page.getByLabel("Password", { exact: true }).fill(KIM.password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Private files" }).waitFor();
    await look("home-member");
    for (const name of ["Encrypted data", "Backups", "People", "Network", "Services", "Power"]) {
      if ((await page.getByRole("heading", { name, exact: true }).count()) > 0) throw new Error(`a member sees ${name}`);
    }
    const asked = ["/users", "/storage", "/backups", "/network"].find((path) => box.seen.includes(`GET ${path}`));
    if (asked) throw new Error(`a member's page asks for ${asked}`);
    // An entry of the history may be from an owner at the same screen.
    await page.evaluate(() => history.pushState({ page: "people" }, ""));
    await page.reload();
    await page.getByRole("heading", { name: "Private files" }).waitFor();
    await page.getByRole("button", { name: "Change password" }).click();
    await heading(page, "Your account");
    await page.getByText(/An owner of the box can set a new one for you/).waitFor();
    await look("account-member");
    await page.getByRole("button", { name: "Go to the recovery code" }).click();
    await heading(page, "Private files");
    await page.getByText(/Nothing is here yet/).waitFor();
    visitor.check("the page did something it must not");
  },

  async "private files get another key"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await logIn(page);
    await page.getByRole("button", { name: "Change password" }).click();
    await page.getByRole("button", { name: "Change the key of my files…" }).click();
    const password = page.getByLabel("Your password", { exact: true });
    visitor.expect(403, "/api/v1/vault/rotate");
    await password.fill("not the password");
    await page.keyboard.press("Enter");
    await page.getByText("This password does not open the vault. Nothing was changed.").waitFor();
    await look("account-vault-key");
    await password.fill(OWNER.password);
    await page.keyboard.press("Enter");
    await page.getByRole("progressbar", { name: "The new key of your files" }).waitFor();
    box.vault.rotation = { percent: 62 };
    await page.getByText("62 % of your files have the new key.").waitFor();
    await look("account-vault-rotating");
    await page.getByRole("button", { name: "Go to the recovery code" }).click();
    await page.getByText("Getting another key").waitFor();
    await look("files-rotating");
    await page.goBack();
    await heading(page, "Your account");
    box.vault.endRotation();
    await page.getByRole("button", { name: "Change the key of my files…" }).waitFor();
  },
};

async function visit(page) {
  await logIn(page);
  await page.getByRole("button", { name: "Who logs in" }).click();
  await heading(page, "People");
}
