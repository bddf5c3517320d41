// Walks through the set-up of a box that is new, as its owner would: partly by keyboard, partly by pointer, with a
// wrong code at first. Settings come from the environment (console/README.md); exit code 0 only if everything held.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { hasFocus, launch, tabTo, Visitor, waitUntil } from "./lib/browser.mjs";
import { checkCertificate } from "./lib/household.mjs";
import { look, lookAtPaper } from "./lib/look.mjs";

const OWNER = { name: "Robin Ember", password: "warm stones keep the night" };

/** Runs the whole walk. Throws with the step that failed in the message. */
export async function walk(settings) {
  const walker = new Walker(settings);
  try {
    await walker.run();
  } catch (error) {
    await walker.keepEvidence();
    throw new Error(`at “${walker.step}”: ${error.message}`, { cause: error });
  } finally {
    await walker.end();
  }
}

class Walker {
  step = "start the browser";

  constructor({ baseUrl, claimCode, shots, hostMap, newName, caFile, executable, patience }) {
    this.base = new URL(baseUrl).origin;
    this.name = newName;
    this.moved = newName ? `https://${newName}.local` : undefined;
    Object.assign(this, { claimCode, shots, hostMap, caFile, executable, patience });
  }

  async run() {
    this.browser = await launch({ hostMap: this.hostMap, executable: this.executable });
    this.visitor = await this.enter();
    this.page = this.visitor.page;
    for (const [step, action] of [
      ["open the first page", this.openFirstPage],
      ["claim code", this.claim],
      ["name of the box", this.nameBox],
      ["account", this.account],
      ["review, with a wrong code", this.wrongCode],
      ["review, with the right code", this.finish],
      ["recovery key", this.recoveryKey],
      ["certificate", this.certificate],
      ["home", this.home],
      ["log of a service", this.logs],
      ["log out", this.logout],
      ["log in", this.login],
      ["a second visitor", this.secondVisitor],
    ]) {
      this.step = step;
      process.stdout.write(`wizard: ${step}\n`);
      await action.call(this);
      this.visitor.check("the page did something it must not");
    }
  }

  async enter() {
    const visitor = await Visitor.enter(this.browser, [this.base, this.moved].filter(Boolean), this.patience);
    // Asking who is logged in is how the page finds out that nobody is.
    visitor.expect(401, "/api/v1/session");
    return visitor;
  }

  async openFirstPage() {
    const answer = await this.page.goto(this.base);
    const policy = answer.headers()["content-security-policy"] ?? "";
    const open = policy.split(";").filter((rule) => /unsafe|\*|https?:/.test(rule) || (/data:|blob:/.test(rule) && !/^\s*img-src/.test(rule)));
    if (!/default-src 'self'/.test(policy) || open.length > 0) {
      throw new Error(`the content policy is not strict: “${policy}”`);
    }
    await this.heading("Welcome home");
  }

  async claim() {
    const { page } = this;
    const code = page.getByLabel("Claim code");
    await look(page, this.shots, "01-welcome");
    await tabTo(page, code);
    await page.keyboard.press("Enter");
    await page.getByText("Type the claim code that the box shows.").waitFor();
    await waitUntil("the field at fault has the focus", () => hasFocus(code));
    await page.keyboard.type("oooo oooo ooo");
    await expectValue(code, "0000-0000-000");
    await page.keyboard.type("o");
    await page.keyboard.press("Enter");
  }

  async nameBox() {
    const { page } = this;
    await this.heading("Name your box");
    await waitUntil("the new step's heading has the focus", () => hasFocus(page.getByRole("heading", { level: 1 })));
    const name = page.getByLabel("Name of the box");
    await tabTo(page, name);
    const before = await name.inputValue();
    await this.retype("not.a.name");
    await page.keyboard.press("Enter");
    await page.getByText("cannot be part of the name").first().waitFor();
    await look(page, this.shots, "02-name-refused");
    await this.retype(this.name ?? before);
    await page.getByText(`https://${this.name ?? before}.local`, { exact: true }).waitFor();
    await look(page, this.shots, "03-name");
    await page.getByRole("button", { name: "Continue" }).click();
  }

  async account() {
    const { page } = this;
    await this.heading("Your account");
    await tabTo(page, page.getByLabel("Your name"));
    await page.keyboard.type(OWNER.name);
    const password = page.getByLabel("Password", { exact: true });
    await tabTo(page, password);
    await page.keyboard.type("short");
    await page.keyboard.press("Enter");
    await page.getByText("5 more to go").waitFor();
    await waitUntil("the password has the focus", () => hasFocus(password));
    await look(page, this.shots, "04-account-refused");
    await this.retype(OWNER.password);
    await page.getByRole("button", { name: "Show password", exact: true }).click();
    if ((await password.getAttribute("type")) !== "text") throw new Error("the password is not shown on request");
    await page.getByLabel("Password once more", { exact: true }).click();
    await page.keyboard.type(OWNER.password);
    await look(page, this.shots, "05-account");
    await page.keyboard.press("Enter");
  }

  async wrongCode() {
    const { page } = this;
    await this.heading("All set?");
    await look(page, this.shots, "06-review");
    this.visitor.expect(403, "/api/v1/setup");
    await page.getByRole("button", { name: "Set up my box" }).click();
    await this.heading("Welcome home");
    await page.getByText(/4 tries left/).waitFor();
    await waitUntil("the code has the focus", () => hasFocus(page.getByLabel("Claim code")));
    await look(page, this.shots, "07-wrong-code");
  }

  async finish() {
    const { page } = this;
    await this.retype(this.claimCode.toLowerCase().replaceAll("-", ""));
    await expectValue(page.getByLabel("Claim code"), this.claimCode);
    await page.keyboard.press("Enter");
    await this.heading("All set?");
    await tabTo(page, page.getByRole("button", { name: "Set up my box" }));
    await page.keyboard.press("Enter");
    await this.heading("Your recovery key");
  }

  /** The key is shown once, goes onto paper, and its end is typed back: wrongly at first. */
  async recoveryKey() {
    const { page } = this;
    const groups = await page.getByRole("list", { name: "Recovery key, in groups" }).getByRole("listitem").allInnerTexts();
    if (groups.length !== 9 || groups.some((group) => !/^[0-9A-Z]{4}$/.test(group))) throw new Error(`the key has ${groups.length} groups of another form`);
    const code = await page.getByRole("list", { name: "Recovery code, in groups" }).getByRole("listitem").allInnerTexts();
    await look(page, this.shots, "13-recovery-key");
    await lookAtPaper(page, this.shots, "13-recovery-key-paper");
    await tabTo(page, page.getByRole("button", { name: "I have it on paper" }));
    await page.keyboard.press("Enter");
    await this.heading("Do you have it on paper?");
    const end = page.getByLabel("Last two groups of the key");
    await page.getByLabel("Last two groups of the code").fill(code.slice(-2).join(""));
    await tabTo(page, end);
    await page.keyboard.press("Enter");
    await page.getByText(/Type the last two groups of the key/).waitFor();
    await waitUntil("the field at fault has the focus", () => hasFocus(end));
    this.visitor.expect(403, "/api/v1/storage/recovery-key/confirm");
    await page.keyboard.type(groups.slice(-2).reverse().join("").toLowerCase());
    await page.keyboard.press("Enter");
    await page.getByText(/not the end of the new key/).waitFor();
    await look(page, this.shots, "14-recovery-end-refused");
    await this.retype(groups.slice(-2).join(""));
    await page.keyboard.press("Enter");
    const choice = page.getByRole("heading", { level: 1, name: "Who opens the data at each start?" });
    await page.getByRole("heading", { level: 1, name: `Your box is ready, ${OWNER.name}` }).or(choice).waitFor();
    // Only a box without security chip asks.
    if ((await choice.count()) > 0) await page.getByRole("button", { name: "Open by itself" }).click();
    await this.heading(`Your box is ready, ${OWNER.name}`);
    await page.getByText(/^([0-9A-F]{2}:){7}[0-9A-F]{2} ?$/).first().waitFor();
    await look(page, this.shots, "08-ready");
  }

  /** The fingerprint on the page is that of the certificate the box serves, which vouches for the name in use. */
  async certificate() {
    const { page } = this;
    const served = await page.evaluate(() => fetch("/api/v1/ca.crt").then((answer) => answer.text()));
    const ca = this.caFile ? readFileSync(this.caFile, "utf8") : served;
    const shown = (await page.locator(".fingerprint span").allInnerTexts()).map((line) => line.trim()).join(":");
    const real = new X509Certificate(ca).fingerprint256;
    if (shown !== real) throw new Error(`the page shows ${shown}, the certificate has ${real}`);
    if (this.caFile) await this.checkLeaf(ca);
    if (this.moved) await page.getByRole("link", { name: `Go to ${this.name}.local` }).waitFor();
    await page.getByRole("button", { name: this.moved ? "Stay here for now" : "Go to the home page" }).click();
  }

  /** The certificate for a new name may be on its way; it must arrive within the patience of a person. */
  async checkLeaf(ca) {
    let last;
    const fits = () =>
      checkCertificate(this.moved ?? this.base, ca, this.hostMap).then(
        () => true,
        (error) => ((last = error), false),
      );
    await waitUntil("the certificate fits", fits, 20_000 * this.patience).catch((error) => {
      throw new Error(`${error.message}: ${last?.message}`);
    });
  }

  async home() {
    const { page } = this;
    await this.heading(new RegExp(`, ${OWNER.name}$`));
    await page.getByRole("heading", { name: "Services" }).waitFor();
    const system = await page.evaluate(() => fetch("/api/v1/system").then((answer) => answer.json()));
    await page.locator("dd", { hasText: system.version }).first().waitFor();
    for (const { name } of system.services) await page.locator(".row", { hasText: name }).first().waitFor();
    for (const label of ["Memory", "Disk"]) {
      const percent = Number(await page.getByRole("meter", { name: label }).getAttribute("aria-valuenow"));
      if (!(percent >= 0 && percent <= 100)) throw new Error(`the bar of ${label} stands at ${percent}`);
    }
    await look(page, this.shots, "09-home");
  }

  async logs() {
    const { page } = this;
    await tabTo(page, page.getByRole("button", { name: "Log of Network" }));
    await page.keyboard.press("Enter");
    await this.heading(/^Log: Network/);
    await page.getByRole("region", { name: "Log lines" }).locator("li").first().waitFor();
    await look(page, this.shots, "10-log");
    await page.goBack();
    await page.getByRole("heading", { name: "Services" }).waitFor();
  }

  async logout() {
    const { page } = this;
    // The page may be asking at this very moment; that question is then answered after the logout.
    for (const path of ["system", "network", "storage", "backups", "apps"]) this.visitor.expect(401, `/api/v1/${path}`);
    await page.getByRole("button", { name: "Log out" }).click();
    await this.heading("Log in");
    await page.getByText("You are logged out.").waitFor();
    const cookies = await this.visitor.context.cookies();
    if (cookies.length > 0) throw new Error(`cookies are left: ${cookies.map((cookie) => cookie.name).join(", ")}`);
    await page.goto(this.moved ?? this.base);
    await this.heading("Log in");
  }

  async login() {
    const { page } = this;
    this.visitor.expect(401, "/api/v1/session");
    await tabTo(page, page.getByLabel("Name"));
    await page.keyboard.type(OWNER.name);
    await tabTo(page, page.getByLabel("Password", { exact: true }));
    await page.keyboard.type("not the password");
    await page.keyboard.press("Enter");
    await page.getByText("do not go together").waitFor();
    await look(page, this.shots, "11-login-refused");
    await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("heading", { name: "Services" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "Services" }).waitFor();
    const [cookie] = await this.visitor.context.cookies();
    if (!cookie?.httpOnly || !cookie.secure || cookie.sameSite !== "Strict") throw new Error(`the session cookie is open: ${JSON.stringify({ ...cookie, value: "…" })}`);
  }

  /** Who comes after set-up sees the login, not the set-up. */
  async secondVisitor() {
    const second = await this.enter();
    await second.page.goto(this.moved ?? this.base);
    await second.page.getByRole("heading", { level: 1, name: "Log in" }).waitFor();
    await look(second.page, this.shots, "12-login");
    second.check("the second visitor's page did something it must not");
  }

  heading(name) {
    return this.page.getByRole("heading", { level: 1, name }).waitFor();
  }

  async retype(text) {
    await this.page.keyboard.press("Control+A");
    await this.page.keyboard.type(text);
  }

  async keepEvidence() {
    if (!this.page) return;
    for (const fault of this.visitor.faults) process.stderr.write(`wizard: also seen: ${fault}\n`);
    const path = join(this.shots, "failure.png");
    await this.page.screenshot({ path, fullPage: true }).then(
      () => process.stderr.write(`wizard: the page as it was: ${path}\n`),
      (error) => process.stderr.write(`wizard: no picture of the page: ${error.message}\n`),
    );
  }

  async end() {
    await this.browser?.close();
  }
}

async function expectValue(input, value) {
  await waitUntil(`the field shows “${value}”`, async () => (await input.inputValue()) === value);
}

/** Settings from the environment; throws a sentence for the person who called. */
export function settingsFrom(env) {
  for (const name of ["BASE_URL", "CLAIM_CODE"]) {
    if (!env[name]) throw new Error(`${name} is not set; console/README.md lists the settings`);
  }
  return {
    baseUrl: env.BASE_URL,
    claimCode: env.CLAIM_CODE,
    hostMap: env.HOST_MAP,
    newName: env.NEW_NAME,
    caFile: env.CA_FILE,
    executable: env.CHROMIUM || "/usr/bin/chromium",
    patience: Number(env.TIMEOUT_FACTOR || 1),
    shots: env.SHOTS || resolve(import.meta.dirname, "../../target/console-shots"),
  };
}

if (process.argv[1] === import.meta.filename) {
  try {
    await walk(settingsFrom(process.env));
    process.stdout.write("wizard: everything held\n");
  } catch (error) {
    process.stderr.write(`wizard: FAILED ${error.message}\n`);
    process.exitCode = 1;
  }
}
