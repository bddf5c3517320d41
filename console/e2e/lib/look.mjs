// Looks at a page the way its visitors do: phone and desktop, light and dark. Each look is measured by axe, checked for
// sideways scrolling, and kept as a picture.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
/** WCAG 2.2, 1.4.10: everything fits without sideways scrolling down to this width. */
const NARROWEST = { width: 320, height: 640 };

/** Takes the pictures of `name` into `folder` and throws if a page cannot be used by everybody. */
export async function look(page, folder, name) {
  mkdirSync(folder, { recursive: true });
  // Off every button, or one of them is pictured as if it were about to be pressed.
  await page.mouse.move(0, 0);
  // A dialog covers the window, not the page.
  const fullPage = (await page.getByRole("dialog").count()) === 0;
  const found = [];
  for (const scheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      await settle(page);
      found.push(...(await audit(page)).map((fault) => `${size}, ${scheme}: ${fault}`));
      await page.screenshot({ path: join(folder, `${name}-${size}-${scheme}.png`), fullPage, animations: "disabled", caret: "hide" });
    }
  }
  await page.setViewportSize(NARROWEST);
  found.push(...(await overflow(page)).map((fault) => `320 px: ${fault}`));
  await page.setViewportSize(SIZES.desktop);
  if (found.length > 0) throw new Error(`page “${name}”:\n  ${[...new Set(found)].join("\n  ")}`);
}

/** The page as a printer gets it, on A4 at 96 points an inch. Throws if something to press would be printed. */
export async function lookAtPaper(page, folder, name) {
  await page.emulateMedia({ media: "print", colorScheme: "light" });
  await page.setViewportSize({ width: 794, height: 1123 });
  const pressed = await page.getByRole("button").filter({ visible: true }).count();
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  await page.emulateMedia({ media: "screen" });
  await page.setViewportSize(SIZES.desktop);
  if (pressed > 0) throw new Error(`page “${name}”: ${pressed} buttons would be printed`);
}

/** Colours change in a transition; axe would measure a shade in between. */
async function settle(page) {
  await page.evaluate(async () => {
    const finite = document.getAnimations().filter((each) => each.effect?.getTiming().iterations !== Infinity);
    await Promise.allSettled(finite.map((each) => each.finished));
  });
}

async function audit(page) {
  if (!(await page.evaluate("typeof axe === 'object'"))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(() =>
    // Rules that axe leaves off by default and we hold ourselves to.
    globalThis.axe.run(document, { rules: { "target-size": { enabled: true } }, resultTypes: ["violations"] }),
  );
  const faults = violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `axe ${id}: ${help}: ${node.target.join(" ")}: ${node.failureSummary?.replaceAll("\n", " ")}`),
  );
  return [...faults, ...(await overflow(page))];
}

async function overflow(page) {
  const { content, window } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    window: document.documentElement.clientWidth,
  }));
  return content > window ? [`the page is ${content} px wide in a window of ${window} px`] : [];
}
