// Situations of the network page.

import { hasFocus, tabTo, waitUntil } from "./lib/browser.mjs";
import { ELSEWHERE, heading, logIn, OWNER } from "./lib/visits.mjs";

export const NETWORK_SITUATIONS = {
  async "the network at rest"({ box, page, look }) {
    box.owner = OWNER;
    box.network.links.push(
      { name: "wlan0", kind: "wifi", mac: "52:54:00:ab:cd:ef", state: "no-carrier", addresses: [], gateway: null, lease_expires_unix: null, report: null },
    );
    const asked = [];
    page.on("request", (request) => asked.push(new URL(request.url())));
    await logIn(page);
    await look("home-with-radio");
    const wholes = asked.filter(({ pathname, search }) => pathname === "/api/v1/network" && search !== "?part=links");
    if (wholes.length > 0) throw new Error("the home page asked for every rule");
    await tabTo(page, page.getByRole("button", { name: "Names, time, firewall" }));
    await page.keyboard.press("Enter");
    await heading(page, "Network");
    await page.getByText("4,210 questions so far").waitFor();
    if ((await page.getByRole("heading", { name: "Wi-Fi" }).count()) > 0) throw new Error("a box without a radio has a section on Wi-Fi");
    await look("network");
    for (const title of ["The box", "App notes", "Refused"]) await page.locator("summary", { hasText: title }).click();
    await page.getByText("the box answers only what it serves").waitFor();
    await look("network-rules");
    await page.reload();
    await heading(page, "Network");
    await page.goBack();
    await page.getByRole("heading", { name: "Services" }).waitFor();
  },

  async "another device has the name, and a server fails"({ box, page, look }) {
    box.owner = OWNER;
    box.network.rival = "192.168.1.7";
    box.network.problems.set("dns.example.org", "it did not answer within 5 s");
    box.network.reasons = ["no time server can be reached"];
    box.network.time = { synchronised: false, authenticated: false, offset_us: 0, age_seconds: null, sources: [], reason: "no time server can be reached" };
    await visit(page);
    await page.getByText("Another device (192.168.1.7) is called hearth; this box is hearth-2.local.").waitFor();
    await page.getByText("Not used now").waitFor();
    await look("network-conflict");
  },

  async "may one reach the other"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await visit(page);
    const form = page.getByRole("form", { name: "May one reach the other?" });
    await form.getByLabel("May").selectOption("notes");
    await form.getByLabel("reach").selectOption("db");
    await form.getByLabel("At port").fill("tcp/5432");
    await page.keyboard.press("Enter");
    await form.getByText("Yes", { exact: true }).waitFor();
    await look("network-yes");
    await form.getByLabel("reach").selectOption("The Internet");
    await form.getByText("Yes", { exact: true }).waitFor({ state: "detached" });
    await form.getByLabel("At port").fill("");
    await form.getByRole("button", { name: "Ask" }).click();
    await form.getByText("Only some of it").waitFor();
    await form.getByLabel("reach").selectOption("A site on the Internet");
    await form.getByLabel("Site").fill("news.example.com");
    await form.getByRole("button", { name: "Ask" }).click();
    await form.getByText("No", { exact: true }).waitFor();
    await look("network-no");
    // An answer that comes late is not taken for the one to a later question.
    box.slow["/network/explain"] = 2000;
    const late = page.waitForResponse((answer) => answer.url().includes("news.example.com"));
    await form.getByRole("button", { name: "Ask" }).click();
    await waitUntil("the question arrives", () => box.seen.filter((each) => each === "GET /network/explain").length === 4);
    box.slow = {};
    await form.getByLabel("reach").selectOption("db");
    await form.getByRole("button", { name: "Ask" }).click();
    await form.getByText("Yes", { exact: true }).waitFor();
    await (await late).finished();
    // Two frames later the page has done with it what it does.
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve)))));
    await form.getByText("Yes", { exact: true }).waitFor();
    if ((await form.getByText("No", { exact: true }).count()) > 0) throw new Error("the late answer stands beside another question");
    await form.getByLabel("reach").selectOption("A site on the Internet");
    visitor.expect(422, "/api/v1/network/explain");
    await form.getByLabel("At port").fill("https");
    await form.getByRole("button", { name: "Ask" }).click();
    await form.getByText(/cannot be internet:news.example.com https/).waitFor();
  },

  async "devices at home may ask, on trial and kept"({ box, page, look }) {
    box.owner = OWNER;
    await visit(page);
    const toggle = page.getByRole("switch", { name: "Devices at home may ask this box" });
    await page.locator(".trial-place [role=status]").evaluate((news) => (news.dataset.known = "yes"));
    await tabTo(page, toggle, 60);
    await page.keyboard.press("Space");
    await page.getByText(/Will go back in \d+ s/).waitFor();
    await page.getByText("download the profile").waitFor();
    const known = page.locator("[role=status][data-known]");
    await known.getByText("The new settings are on trial.").waitFor();
    await look("network-trial");
    await page.getByRole("button", { name: "Keep these settings" }).click();
    await known.getByText("The new settings stay.").waitFor();
    await look("network-kept");
    if (!box.network.settings.resolver.serve_lan) throw new Error("the box did not keep the change");
    if ((await toggle.getAttribute("aria-checked")) !== "true") throw new Error("the switch does not show the change");
  },

  async "nobody keeps a change"({ box, page }) {
    box.owner = OWNER;
    box.network.trialSeconds = 8;
    await visit(page);
    await page.getByText("Devices at home may ask this box").click();
    await page.getByText(/Will go back in/).waitFor();
    await page.getByText("Nobody kept the new settings").waitFor();
    const toggle = page.getByRole("switch");
    await waitUntil("the switch is off again", async () => (await toggle.getAttribute("aria-checked")) === "false");
  },

  async "two changes while an answer from before them is on its way"({ box, page }) {
    box.owner = OWNER;
    await visit(page);
    const asked = () => box.seen.filter((each) => each === "GET /network/settings").length;
    const before = asked();
    box.slow["/network/settings"] = 6000;
    await waitUntil("the page asks again", () => asked() > before);
    box.slow = {};
    const toggle = page.getByRole("switch");
    await toggle.click();
    await waitUntil("the box has the first change", () => box.network.settings.resolver.serve_lan);
    await page.getByRole("button", { name: "Change address… of eth0" }).click();
    const form = page.getByRole("form", { name: "Addresses of eth0" });
    await form.locator("summary", { hasText: "More" }).click();
    await form.getByLabel("MTU").fill("1400");
    await form.getByRole("button", { name: "Try this address" }).click();
    await form.waitFor({ state: "detached" });
    // What the page shows when a change is done is how the box is after it.
    await page.getByText(/Will go back in \d+ s/).waitFor();
    if ((await toggle.getAttribute("aria-checked")) !== "true") throw new Error("the page shows settings from before the changes");
    const { links, resolver } = box.network.settings;
    if (links[0]?.mtu !== 1400 || !resolver.serve_lan) throw new Error(`a change was undone: ${JSON.stringify(box.network.settings)}`);
  },

  async "name servers are changed by form"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await visit(page);
    const opener = page.getByRole("button", { name: "Change name servers…" });
    const nameOf = (number) => page.getByRole("group", { name: new RegExp(`Name server ${number}`) }).getByLabel("Name");
    await opener.click();
    await focusOn("the first name", nameOf(1));
    await page.getByRole("button", { name: "Cancel" }).click();
    await focusOn("the button that opened the form", opener);
    await opener.click();
    const second = page.getByRole("group", { name: /Name server 2/ });
    await second.getByRole("button", { name: /Ask this one earlier/ }).click();
    await focusOn("the server that is first now", nameOf(1));
    await page.getByRole("button", { name: "Add a name server" }).click();
    await focusOn("the new server", nameOf(3));
    await page.getByRole("group", { name: /Name server 3/ }).getByRole("button", { name: /Ask this one earlier/ }).click();
    await focusOn("the same button of the moved server", second.getByRole("button", { name: /Ask this one earlier/ }));
    await second.getByRole("button", { name: "Remove" }).click();
    await focusOn("the neighbour of the removed server", nameOf(2));
    await page.getByRole("button", { name: "Add a name server" }).click();
    const third = page.getByRole("group", { name: /Name server 3/ });
    await third.getByLabel("Name").fill("192.0.2.9");
    await page.getByRole("button", { name: "Try these settings" }).click();
    await page.getByText("This is an address.").waitFor();
    await page.getByText("Type at least one address").waitFor();
    await focusOn("the wrong field", third.getByLabel("Name"));
    await look("network-form-wrong");
    await third.getByLabel("Name").fill("quad.example");
    await third.getByLabel("Addresses").fill("0.0.0.0");
    visitor.expect(422, "/api/v1/network/settings");
    await page.getByRole("button", { name: "Try these settings" }).click();
    await page.getByText(/cannot have the address 0.0.0.0/).waitFor();
    await third.getByLabel("Addresses").fill("192.0.2.9, 2001:db8::9");
    await third.getByLabel("Encrypted by").selectOption("HTTPS");
    await third.getByLabel("Path").fill("/names");
    await page.getByRole("button", { name: "Try these settings" }).click();
    await focusOn("the button that opened the form", opener);
    await page.getByRole("button", { name: "Keep these settings" }).click();
    await page.getByText("The new settings stay.").waitFor();
    const names = box.network.settings.resolver.upstreams.map((server) => server.server_name);
    if (names.join() !== "doh.example.net,dns.example.org,quad.example") throw new Error(`the servers are ${names}`);
    const { transport } = box.network.settings.resolver.upstreams[2];
    if (JSON.stringify(transport) !== '{"by":"https","path":"/names"}') throw new Error(`the way is ${JSON.stringify(transport)}`);
  },

  async "an address is fixed by form and kept from there"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await visit(page);
    await page.getByText("from the router (DHCP)").waitFor();
    await page.getByText("no DHCP server answers; only").waitFor();
    await look("network-links");
    await tabTo(page, page.getByRole("button", { name: "Change address… of eth0" }));
    await page.keyboard.press("Enter");
    const form = page.getByRole("form", { name: "Addresses of eth0" });
    const save = form.getByRole("button", { name: "Try this address" });
    await focusOn("the first field", form.getByLabel("Address", { exact: true }));
    await form.getByLabel("Address", { exact: true }).selectOption("Fixed address");
    await save.click();
    await form.getByText("A fixed address is chosen but none is given.").waitFor();
    visitor.expect(422, "/api/v1/network/settings");
    await form.getByLabel("Fixed address").fill("192.168.1.20");
    await save.click();
    await form.getByText("An address is written with the length of its prefix").waitFor();
    await form.getByLabel("Fixed address").fill("192.168.1.20/24");
    await form.getByLabel("Router", { exact: true }).fill("192.168.2.1");
    await save.click();
    const router = form.getByLabel("Router", { exact: true });
    await waitUntil("the router is at fault", async () => (await router.getAttribute("aria-invalid")) === "true");
    await form.getByText("The gateway 192.168.2.1 is in the network of none of the addresses.").waitFor();
    await form.locator("summary", { hasText: "IPv6" }).click();
    await form.getByLabel("IPv6 address", { exact: true }).selectOption("Fixed address");
    await form.locator("summary", { hasText: "More" }).click();
    await form.getByLabel("MTU").fill("100");
    await form.getByText("The console may move to https://192.168.1.20; open it there and keep the settings within 60 s.").waitFor();
    await save.click();
    await form.getByText("An MTU is from 576 to 9000.").waitFor();
    await look("network-link-form");
    await form.getByLabel("IPv6 address", { exact: true }).selectOption("Get addresses automatically");
    await form.getByLabel("MTU").fill("1400");
    await router.fill("192.168.1.1");
    await save.click();
    await page.getByText(/Will go back in \d+ s/).waitFor();
    await page.getByText("192.168.1.20/24", { exact: true }).waitFor();
    await look("network-link-trial");
    await page.reload();
    await page.getByText(/Will go back in \d+ s/).waitFor();
    // At the new address it is another site to the browser: with a login of its own, and the trial goes on.
    await logIn(page, ELSEWHERE);
    await page.getByText(/Will go back in \d+ s/).waitFor();
    await look("home-trial");
    await page.getByRole("button", { name: "Keep these settings" }).click();
    await page.getByText("The new settings stay.").waitFor();
    const wanted = [{ matching: { mac: "52:54:00:12:34:56" }, ipv4: { static: { addresses: ["192.168.1.20/24"], gateway: "192.168.1.1" } }, ipv6: "automatic", mtu: 1400 }];
    const kept = JSON.stringify(box.network.settings.links);
    if (kept !== JSON.stringify(wanted)) throw new Error(`the links are ${kept}`);
  },

  async "the address moves before the answer comes"({ box, visitor, page, look }) {
    box.owner = OWNER;
    await visit(page);
    await page.getByRole("button", { name: "Change address… of eth0" }).click();
    const form = page.getByRole("form", { name: "Addresses of eth0" });
    await form.getByLabel("Address", { exact: true }).selectOption("Fixed address");
    await form.getByLabel("Fixed address").fill("192.168.1.20/24");
    visitor.mayLose(true);
    await page.route("**/api/v1/network/settings*", (route) => route.abort("connectionreset"));
    await form.getByRole("button", { name: "Try this address" }).click();
    await form.getByText("If this page stops answering, open").waitFor();
    if ((await form.getByRole("link").getAttribute("href")) !== ELSEWHERE) throw new Error("the link leads elsewhere");
    await look("network-link-lost");
  },

  async "the network service is away"({ box, visitor, page, look }) {
    box.owner = OWNER;
    box.network.away = true;
    for (const path of ["network", "network/settings"]) visitor.expect(503, `/api/v1/${path}`);
    await logIn(page);
    await page.getByText("network service does not answer").waitFor();
    await look("home-network-away");
    await page.getByRole("button", { name: "Names, time, firewall" }).click();
    await heading(page, "Network");
    await page.getByText("network service does not answer").waitFor();
    await look("network-away");
    box.network.away = false;
    await page.getByRole("heading", { name: "Firewall" }).waitFor();
  },
};

async function focusOn(what, locator) {
  await locator.waitFor();
  await waitUntil(`${what} has the focus`, () => hasFocus(locator));
}

async function visit(page) {
  await logIn(page);
  await page.getByRole("button", { name: "Names, time, firewall" }).click();
  await heading(page, "Network");
  await page.getByRole("heading", { name: "Firewall" }).waitFor();
}
