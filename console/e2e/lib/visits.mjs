// What visitors do in many situations.

export const BASE = "https://hearth.local";
export const OWNER = { name: "Robin", password: "warm stones keep the night" };

export function heading(page, name) {
  return page.getByRole("heading", { level: 1, name }).waitFor();
}

export async function logIn(page) {
  await page.goto(BASE);
  await page.getByLabel("Name").fill(OWNER.name);
  await page.getByLabel("Password", { exact: true }).fill(OWNER.password);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Services" }).waitFor();
}
