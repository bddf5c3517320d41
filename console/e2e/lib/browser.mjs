// A browser that watches itself: everything a page must not do is collected and fails the run.

import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long a page may take for anything a person waits for. */
const PATIENCE_MS = 20_000;

/**
 * Starts Chromium with a fresh profile. `hostMap` is a value for --host-resolver-rules.
 * Certificates are not checked by the browser, because its profile knows no household; lib/household.mjs checks them.
 */
export async function launch({ hostMap, executable = "/usr/bin/chromium" }) {
  return chromium.launch({
    executablePath: executable,
    headless: true,
    args: [...ARGUMENTS, ...(hostMap ? [`--host-resolver-rules=${hostMap}`] : [])],
  });
}

/** A visitor: own cookies, own page, and the list of what went wrong on it. */
export class Visitor {
  faults = [];
  #origins;
  #expected = [];
  #mayLose = false;

  constructor(context, page, origins) {
    this.context = context;
    this.page = page;
    this.#origins = origins;
  }

  static async enter(browser, origins, patience = 1) {
    const context = await browser.newContext({
      ignoreHTTPSErrors: true,
      viewport: { width: 1280, height: 800 },
      locale: "en-GB",
      serviceWorkers: "block",
    });
    context.setDefaultTimeout(PATIENCE_MS * patience);
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        console.error(`content policy violated: ${event.violatedDirective} by ${event.blockedURI}`);
      });
    });
    const visitor = new Visitor(context, await context.newPage(), new Set(origins));
    visitor.#watch();
    return visitor;
  }

  /** The browser reports an answer of 400 and above as an error on its console; this one is part of the story. `path`: a text or a pattern. */
  expect(status, path) {
    this.#expected.push({ status, path });
  }

  /** From now on requests may go unanswered, until `mayLose(false)`. */
  mayLose(may) {
    this.#mayLose = may;
  }

  /** Throws if anything went wrong so far. */
  check(when) {
    if (this.faults.length > 0) throw new Error(`${when}:\n  ${this.faults.join("\n  ")}`);
  }

  #watch() {
    const { page } = this;
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      const text = message.text();
      if (!this.#isExpected(text, message.location().url)) this.faults.push(`console ${message.type()}: ${text} (${message.location().url})`);
    });
    page.on("pageerror", (error) => this.faults.push(`uncaught: ${error.stack ?? error}`));
    page.on("request", (request) => {
      const { origin } = new URL(request.url());
      if (!this.#origins.has(origin)) this.faults.push(`request to another origin: ${request.url()}`);
    });
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText ?? "";
      // Leaving a page ends its requests.
      if (why !== "net::ERR_ABORTED" && !this.#mayLose) this.faults.push(`no answer: ${request.method()} ${request.url()}: ${why}`);
    });
  }

  #isExpected(text, url) {
    if (this.#mayLose && /Failed to load resource: net::/.test(text)) return true;
    const status = Number(/responded with a status of (\d+)/.exec(text)?.[1]);
    const path = url.startsWith("http") ? new URL(url).pathname : "";
    return this.#expected.some((each) => each.status === status && (each.path instanceof RegExp ? each.path.test(path) : each.path === path));
  }
}

/** Presses Tab until the element has the focus: the way there must exist, and be short. */
export async function tabTo(page, locator, atMost = 40) {
  await locator.waitFor();
  for (let presses = 0; presses <= atMost; presses += 1) {
    if (await hasFocus(locator)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${locator} is not reached by ${atMost} presses of Tab`);
}

export function hasFocus(locator) {
  return locator.evaluate((element) => element === document.activeElement);
}

/** Waits for something that no locator can express; `what` names it in the error. */
export async function waitUntil(what, holds, withinMs = PATIENCE_MS) {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`did not happen within ${withinMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
