// What visitors do in many situations.

export const BASE = "https://hearth.local";
/** The same box at an address that it gets in one of the situations. */
export const ELSEWHERE = "https://192.168.1.20";
export const OWNER = { name: "Robin", password: "warm stones keep the night" };

export function heading(page, name) {
  return page.getByRole("heading", { level: 1, name }).waitFor();
}

export async function logIn(page, at = BASE) {
  await page.goto(at);
  await page.getByLabel("Name").fill(OWNER.name);
  await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Services" }).waitFor();
}

/** Goes through the set-up up to its last look. */
export async function fillWizard(page, code) {
  await page.goto(BASE);
  const next = page.getByRole("button", { name: "Continue" });
  await page.getByLabel("Claim code").fill(code);
  await next.click();
  await heading(page, "Name your box");
  await next.click();
  await page.getByLabel("Your name").fill(OWNER.name);
  await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
  await page.getByLabel("Password once more", { exact: true }).fill(OWNER.password);
  await next.click();
  await heading(page, "All set?");
}

/** Leaves the recovery key for another day. */
export async function putOffRecovery(page) {
  await heading(page, "Your recovery key");
  await page.getByRole("button", { name: "Later" }).click();
}
