// Opens the page of an app that runs on a box, as somebody at home: reads what is there and adds a line.
// Settings come from the environment; exit code 0 only if everything held.

import assert from "node:assert/strict";
import { launch, Visitor } from "./lib/browser.mjs";

const { BASE_URL, HOST_MAP, HEADING, LINES, ADD, SHOT, TIMEOUT_FACTOR } = process.env;
const before = JSON.parse(LINES);
const browser = await launch({ hostMap: HOST_MAP });
try {
  const visitor = await Visitor.enter(browser, [BASE_URL], Number(TIMEOUT_FACTOR));
  const { page } = visitor;
  await page.goto(BASE_URL);
  assert.equal(await page.locator("h1").textContent(), HEADING);
  assert.deepEqual(await page.locator("li").allTextContents(), before);
  const visits = Number(await page.locator("#visits").textContent());
  assert.ok(visits > before.length, `${visits} visits, and ${before.length} people signed`);
  await page.getByLabel("Your line").fill(ADD);
  await page.getByRole("button", { name: "Sign" }).click();
  await page.getByRole("listitem").filter({ hasText: ADD }).waitFor();
  assert.deepEqual(await page.locator("li").allTextContents(), [...before, ADD]);
  assert.ok(Number(await page.locator("#visits").textContent()) > visits, "visits are not counted");
  await page.screenshot({ path: SHOT });
  visitor.check("the page did something it must not");
} finally {
  await browser.close();
}
