// Situations of apps: installed from what there is, looked at, changed, updated, removed; what a member sees.

import { hasFocus, tabTo, waitUntil } from "./lib/browser.mjs";
import { BASE, heading, logIn, OWNER } from "./lib/visits.mjs";
import { Vault } from "./mock/vault.mjs";

const KIM = { name: "Kim", password: "blue kettle on the shelf" };
const PHOTOS = {
  format: 1,
  title: "Photos",
  version: "2.1.0",
  author: "The Photos makers",
  license: "AGPL-3.0-only",
  description: "Keeps the photos of everybody in order, and finds them again.\nTakes them from phones by itself.",
  containers: {
    web: { image: "ghcr.io/example/photos:2.1.0", volumes: [{ name: "originals" }, { name: "previews" }] },
    database: { image: "docker.io/library/postgres:16", volumes: [{ name: "database" }] },
  },
  permissions: {
    lan: { reason: "To show photos on the television." },
    inbound: [{ port: "tcp/8480", app_port: 80, reason: "Phones send their photos here" }],
    domains: [{ names: ["maps.example.org", "*.tiles.example.org"], reason: "Maps of where photos were taken" }],
  },
};
const NOTES = { format: 1, title: "Notes", version: "1.0.0", containers: { app: { image: "ghcr.io/example/notes:1.0.0" } } };
const COMPOSE = "services:\n  web:\n    image: ghcr.io/example/wiki:3\n    container_name: wiki\n    environment:\n      SECRET: ${SECRET_KEY}\n";

/** A page may ask for an app at the very moment when that goes. */
const ONE_APP = /^\/api\/v1\/apps\/[0-9a-f]{32}(\/logs)?$/;

export const APP_SITUATIONS = {
  async "apps: one is installed from its file, without all that it asks for"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await logIn(page);
    await page.getByText(/can run here, on your own box/).waitFor();
    await page.getByRole("button", { name: "Show, install" }).click();
    await heading(page, "Apps");
    await page.getByText(/There are none yet/).waitFor();
    await look("apps-none");
    await page.getByRole("button", { name: "Install an app" }).click();
    await heading(page, "Install an app");
    const next = page.getByRole("button", { name: "Look at what it asks for" });
    await next.click();
    await page.getByText("Choose the file, or paste its text here.").waitFor();
    const text = page.getByLabel("Or paste its text");
    await waitUntil("the text has the focus", () => hasFocus(text));
    visitor.expect(422, "/api/v1/apps/inspect");
    await text.fill(JSON.stringify({ ...PHOTOS, privileged: true, title: "" }, null, 1));
    await next.click();
    await page.getByText("This key is not known.").waitFor();
    await look("install-refused");
    await text.fill(JSON.stringify(PHOTOS, null, 1));
    await next.click();
    await heading(page, "What it may do");
    await page.getByText("The app says: “Maps of where photos were taken.”").waitFor();
    await look("install-consent");
    await tabTo(page, page.getByRole("switch", { name: "May reach every device in your home network" }));
    await page.keyboard.press("Space");
    await page.getByRole("switch", { name: "Everything below tiles.example.org" }).click();
    let go;
    box.apps.held.pulling = new Promise((resolve) => (go = resolve));
    await tabTo(page, page.getByRole("button", { name: "Install", exact: true }));
    await page.keyboard.press("Enter");
    await heading(page, "Photos");
    await page.getByRole("progressbar", { name: "Photos" }).waitFor();
    await page.getByText("Fetching it from the Internet: 52 MB of 84 MB").waitFor();
    await look("app-installing");
    const [record] = box.apps.records;
    const wanted = ["inbound:tcp/8480:80", "domain:maps.example.org"];
    if (JSON.stringify(record.granted) !== JSON.stringify(wanted)) throw new Error(`it was given ${record.granted}`);
    go();
    await page.getByText("Photos is installed.").waitFor();
    await page.getByText("hearth.local:8480").waitFor();
    const opens = page.getByRole("link", { name: /^Open / });
    const address = await opens.getAttribute("href");
    if (address !== "http://hearth.local:8480/") throw new Error(`its page is said to be at ${address}`);
    await page
      .getByText(/% of a core/)
      .first()
      .waitFor();
    await page.getByText("listening on port 8080").waitFor();
    await look("app");
    await page.goBack();
    await heading(page, "Apps");
    await page.getByRole("button", { name: "Photos" }).waitFor();
  },

  async "apps: a docker-compose.yml lacks a value, its name is taken, and it does not start"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.apps.add(NOTES);
    await visit(page);
    await page.getByRole("button", { name: "Install an app" }).click();
    visitor.expect(422, "/api/v1/apps/inspect");
    visitor.expect(409, "/api/v1/apps/inspect");
    await page
      .getByLabel("File of the app")
      .setInputFiles({ name: "docker-compose.yml", mimeType: "application/yaml", buffer: Buffer.from(COMPOSE) });
    await page.getByLabel("Name of the app").fill("Wiki");
    const next = page.getByRole("button", { name: "Look at what it asks for" });
    await next.click();
    await page.getByText("The file leaves SECRET_KEY open.").waitFor();
    const settings = page.getByLabel("Settings that the file leaves open");
    await waitUntil("the missing setting is there to fill in", async () => (await settings.inputValue()) === "SECRET_KEY=");
    await look("install-compose");
    await settings.fill("SECRET_KEY=cold rivers");
    await next.click();
    await heading(page, "What it may do");
    await page.getByText("1 thing is done otherwise").click();
    await page.getByText(/the box names containers itself/).waitFor();
    await page.getByRole("button", { name: "Call it otherwise" }).click();
    const name = page.getByLabel("Short name");
    await waitUntil("the name has the focus", () => hasFocus(name));
    await name.fill("notes");
    await page.keyboard.press("Enter");
    await page.getByText("Another app on this box has that name.").waitFor();
    await look("install-name");
    await name.fill("Our wiki");
    await page.keyboard.press("Enter");
    await page.getByText("our-wiki", { exact: true }).waitFor();
    visitor.expect(404, ONE_APP);
    box.apps.failure = "it was not healthy within 180 seconds: web: ended with code 1. The last that web said: no such table / giving up";
    await page.getByRole("button", { name: "Install", exact: true }).click();
    await heading(page, "Wiki was not installed");
    await page.getByText(/no such table/).waitFor();
    await look("app-not-installed");
    await page.getByRole("main").getByRole("button", { name: "Back to apps" }).click();
    await page.getByRole("heading", { name: "What came to nothing" }).waitFor();
    await look("apps-failed");
  },

  async "apps: an image alone, called off"({ box, visitor, page, look }) {
    box.owner = OWNER;
    visitor.expect(404, ONE_APP);
    await visit(page);
    await page.getByRole("button", { name: "Install an app" }).click();
    await page.getByLabel("What do you have?").selectOption("image");
    await page.getByLabel("Name of the image").fill("docker.io/library/redis:7.2.0");
    await look("install-image");
    const next = page.getByRole("button", { name: "Look at what it asks for" });
    await next.click();
    await heading(page, "What it may do");
    await page.getByText("It runs from each start of the box").waitFor();
    await page.getByRole("button", { name: "Back", exact: true }).click();
    await page.getByLabel("Who is it for?").selectOption("user");
    await next.click();
    await heading(page, "What it may do");
    await page.getByText("Its data opens with your password alone.").waitFor();
    await page.getByText("It asks for no access").waitFor();
    let go;
    box.apps.held.pulling = new Promise((resolve) => (go = resolve));
    await page.getByRole("button", { name: "Install", exact: true }).click();
    await page.getByRole("button", { name: "Call the installation off" }).click();
    go();
    await heading(page, "redis was not installed");
    await page.getByText("It was called off.").waitFor();
  },

  async "apps: one is stopped and started, its permissions change, it says what it does"({ box, page, look }) {
    box.owner = OWNER;
    const app = box.apps.add(PHOTOS, { state: "running" });
    for (let line = 1; line <= 40; line += 1) box.apps.say(app, `photo ${line} taken in`, line % 9 === 0 ? "stderr" : "stdout");
    await visit(page);
    await page.getByRole("button", { name: "Photos" }).click();
    await heading(page, "Photos");
    await page.getByText("photo 40 taken in").waitFor();
    box.apps.say(app, "photo 41 taken in");
    await page.getByText("photo 41 taken in").waitFor();
    await page.getByLabel("Part of the app").selectOption("database");
    await tabTo(page, page.getByRole("button", { name: "Stop" }));
    await page.keyboard.press("Enter");
    await page.getByText("Stopped", { exact: true }).first().waitFor();
    await waitUntil("the other button has the focus", () => hasFocus(page.getByRole("button", { name: "Start" })));
    await look("app-stopped");
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText("Running", { exact: true }).first().waitFor();
    const television = page.getByRole("switch", { name: "May reach every device in your home network" });
    await television.click();
    await waitUntil("the permission is taken away", () => !app.granted.includes("lan"));
    await waitUntil("the switch is off", async () => (await television.getAttribute("aria-checked")) === "false");
    box.apps.run(app, "unhealthy", ["web: its check fails: no answer on port 80"]);
    app.containers[0] = {
      ...app.containers[0],
      reason: "its check fails: no answer on port 80",
      restarts: 3,
      last_end: "wanted more memory than it may have",
    };
    await page.getByText("Not well").first().waitFor();
    await page.getByText(/started again 3 times/).waitFor();
    await look("app-unwell");
    await page.getByRole("button", { name: "Rename…" }).click();
    await page.getByLabel("Short name").fill("pictures");
    await page.keyboard.press("Enter");
    await page.getByText("It is called pictures now.").waitFor();
    await page.getByRole("button", { name: "Back to apps" }).click();
    await page.getByRole("button", { name: "Back to home" }).click();
    await page.getByText("Photos does not work as it should.").waitFor();
    await look("home-with-apps");
  },

  async "apps: one that is its user's alone waits for them"({ box, page, look }) {
    box.owner = OWNER;
    const app = box.apps.add(NOTES);
    await visit(page);
    await page.getByRole("button", { name: "Notes" }).click();
    await page.getByText("received").waitFor();
    box.apps.run(app, "locked", ["its data is locked until its user unlocks their vault"]);
    await page.getByText("both wait until you open your private files").waitFor();
    await page.getByRole("button", { name: "Stop" }).waitFor();
    await look("app-locked");
  },

  async "apps: an update goes well, and one is taken back"({ box, page, look }) {
    box.owner = OWNER;
    box.apps.add(PHOTOS);
    await visit(page);
    await page.getByRole("button", { name: "Photos" }).click();
    await page.getByRole("button", { name: "From a newer file…" }).click();
    const newer = { ...PHOTOS, version: "2.2.0", permissions: { ...PHOTOS.permissions, internet: { reason: "To find names of places" } } };
    await page.getByLabel("Or paste its text").fill(JSON.stringify(newer));
    await page.getByRole("button", { name: "Look at what it asks for" }).click();
    await page.getByText("It asks for more than before").waitFor();
    await look("app-update");
    let go;
    box.apps.held.saving = new Promise((resolve) => (go = resolve));
    await page.getByRole("button", { name: "Update", exact: true }).click();
    await page.getByText("Stopping it and saving its data.").waitFor();
    await look("app-updating");
    go();
    await page.getByText("Photos is updated: version 2.2.0.").waitFor();
    await page.getByRole("switch", { name: "May reach every computer on the Internet" }).waitFor();
    await page.getByRole("button", { name: "Fetch it anew…" }).click();
    await page.getByText("It asks for nothing beyond what it has.").waitFor();
    await waitUntil("what is new has the focus", () => hasFocus(page.getByText(/^Version 2.2.0 again/)));
    await page.getByRole("button", { name: "Not now" }).click();
    await waitUntil("the focus is back", () => hasFocus(page.getByRole("button", { name: "From a newer file…" })));
    await page.getByRole("button", { name: "Fetch it anew…" }).click();
    await page.getByText("It asks for nothing beyond what it has.").waitFor();
    box.apps.failure = "it was not healthy within 180 seconds: web: its check fails. The last that web said: cannot read the database of 2.1.0";
    await page.getByRole("button", { name: "Update", exact: true }).click();
    await page.getByText("The last change came to nothing. Version 2.2.0 runs as before.").waitFor();
    if ((await page.getByText("Photos is updated").count()) > 0) throw new Error("an earlier update is still told of");
    await look("app-taken-back");
  },

  async "apps: one is removed, its data taken up again, and deleted"({ box, visitor, page, look }) {
    box.owner = OWNER;
    visitor.expect(404, ONE_APP);
    const { key } = box.apps.add(NOTES);
    await visit(page);
    await page.getByRole("button", { name: "Notes" }).click();
    await page.getByRole("button", { name: "Remove, keep its data…" }).click();
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    if (box.seen.some((each) => each.startsWith("DELETE /apps"))) throw new Error("it was removed before the answer");
    await page.getByRole("button", { name: "Remove, keep its data…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true }).click();
    await page.getByText("Notes is removed. Its data is kept.").waitFor();
    await look("app-removed");
    await page.getByRole("button", { name: "Install again" }).click();
    await page.getByText(/takes up the data of Notes/).waitFor();
    await page.getByLabel("Or paste its text").fill(JSON.stringify(NOTES));
    await page.getByRole("button", { name: "Look at what it asks for" }).click();
    await page.getByRole("button", { name: "Install", exact: true }).click();
    await page.getByText("Notes is installed.").waitFor();
    if (box.apps.records.length !== 1 || box.apps.records[0].key !== key) throw new Error("the data was not taken up");
    await page.getByRole("button", { name: "Remove with its data…" }).click();
    await look("app-remove-question");
    await page.getByRole("dialog").getByRole("button", { name: "Delete for good" }).click();
    await heading(page, "Notes is removed");
    box.apps.add(PHOTOS, { state: "removed" });
    await page.getByRole("main").getByRole("button", { name: "Back to apps" }).click();
    await page.getByRole("heading", { name: "Removed, data kept" }).waitFor();
    await look("apps-left");
    await page.getByRole("button", { name: "Delete its data of Photos" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete for good" }).click();
    await page.getByText("The data of Photos is being deleted.").waitFor();
    await page.getByRole("heading", { name: "Removed, data kept" }).waitFor({ state: "detached" });
  },

  async "apps: a member sees the household's and their own"({ box, page, look }) {
    box.owner = OWNER;
    box.members = [{ ...KIM, vault: new Vault() }];
    box.apps.add({ ...PHOTOS, scope: "system" });
    box.apps.add(NOTES, { owner: "Kim" });
    box.apps.add({ ...NOTES, title: "Diary" }, { owner: "Robin" });
    box.apps.add({ ...NOTES, title: "Calendar", scope: "system" }, { state: "removed" });
    await page.goto(BASE);
    await page.getByLabel("Name").fill(KIM.name);
    await page.getByLabel("Password", { exact: true }).fill(KIM.password);
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByText("2 apps, and all of them run.").waitFor();
    await page.getByRole("button", { name: "Show, install" }).click();
    await page.getByRole("button", { name: "Notes" }).waitFor();
    if ((await page.getByText("Diary").count()) > 0) throw new Error("a member sees somebody else's app");
    if ((await page.getByText("Calendar").count()) > 0) throw new Error("a member is offered what the household's apps have left");
    await page.getByRole("button", { name: "Photos" }).click();
    await page.getByText(/the owner of the box looks after it/).waitFor();
    for (const name of ["Stop", "Rename…", "Remove with its data…"]) {
      if ((await page.getByRole("button", { name }).count()) > 0) throw new Error(`a member is offered ${name}`);
    }
    await look("app-member");
  },

  async "apps: what happens is told while somebody looks"({ box, page, look }) {
    box.owner = OWNER;
    const app = box.apps.add(NOTES);
    box.apps.add({ ...PHOTOS, scope: "system" }, { state: "stopped" });
    await visit(page);
    await waitUntil("the page watches", () => box.apps.watchers === 1);
    const asked = box.seen.filter((each) => each === "GET /apps").length;
    box.apps.run(app, "failed", ["app: could not be started: no such file"]);
    await page.getByText("Does not run").waitFor();
    box.apps.setProblem("the box's app service does not answer just now; it is started again by itself. Apps that run go on");
    await page.getByText(/it is started again by itself/).waitFor();
    if (box.seen.filter((each) => each === "GET /apps").length > asked + 1) throw new Error("the page asked instead of being told");
    await look("apps");
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await waitUntil("a hidden page does not watch", () => box.apps.watchers === 0);
    box.apps.setProblem(null);
    await page.evaluate(() => {
      delete document.hidden;
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.getByText(/it is started again by itself/).waitFor({ state: "detached" });
  },
};

async function visit(page) {
  await logIn(page);
  await page.getByRole("button", { name: "Show, install" }).click();
  await heading(page, "Apps");
}
