// Situations of Wi-Fi, on the network page and at set-up.

import { hasFocus, tabTo, waitUntil } from "./lib/browser.mjs";
import { fillWizard, heading, logIn, OWNER, putOffRecovery } from "./lib/visits.mjs";

const RIGHT = "seven kettles on a hill";
const WRONG = "seven kettles on a hull";
const AIR = [
  { ssid: "Home", password: RIGHT, signal: 88 },
  { ssid: "Casa Bianca – für Gäste & Freunde", password: "tanti saluti", signal: 61 },
  { ssid: "Town library", signal: 37 },
  { ssid: "Office", password: "only for staff", signal: 22, isForeign: true },
];

export const WIFI_SITUATIONS = {
  async "a Wi-Fi network is joined after a wrong password, and forgotten"({ box, page, look }) {
    const { radio } = box.network;
    box.owner = OWNER;
    radio.begin(AIR);
    const card = await visit(page);
    await card.getByText("The box is in no Wi-Fi network.").waitFor();
    await card.getByLabel("Country the box stands in").selectOption("Germany");
    await waitUntil("the box knows the country", () => radio.country === "DE");
    await look("wifi-networks");
    if ((await card.getByRole("button", { name: "Join… Office" }).count()) > 0) throw new Error("a network that the box does not speak can be joined");
    const opener = card.getByRole("button", { name: "Join… Home" });
    await opener.focus();
    await page.keyboard.press("Enter");
    const form = card.getByRole("form", { name: "Join Home" });
    const password = form.getByLabel("Password of the network");
    await focusOn("the password", password);
    await form.getByRole("button", { name: "Cancel" }).click();
    await focusOn("the button that opened the form", opener);
    await page.keyboard.press("Enter");
    await focusOn("the password again", password);
    await page.keyboard.type("short");
    await page.keyboard.press("Enter");
    await form.getByText("A Wi-Fi password has at least 8 characters; this has 5.").waitFor();
    await focusOn("the password that is too short", password);
    if (box.seen.filter((each) => each === "POST /network/wifi").length !== 1) throw new Error("the box was asked with a password that is too short");
    await password.fill(WRONG);
    radio.holds = true;
    await page.keyboard.press("Enter");
    await form.getByText("The box joins “Home”.").waitFor();
    await look("wifi-joining");
    radio.holds = false;
    await form.getByText("This device may lose the box for a moment.").waitFor();
    await form.getByRole("link", { name: "https://hearth.local" }).waitFor();
    await form.getByText('The network "Home" did not accept the password. Check it, also capital letters.').waitFor();
    await focusOn("the wrong password", password);
    await look("wifi-wrong-password");
    if (radio.known.size > 0) throw new Error("a wrong password is known");
    await password.fill(RIGHT);
    await page.keyboard.press("Enter");
    await form.waitFor({ state: "detached" });
    const news = card.locator(".wifi-news");
    await news.getByText("The box is in “Home”.").waitFor();
    await focusOn("what came of it", news);
    await look("wifi-joined");
    const forget = card.getByRole("button", { name: "Forget… Home" });
    await forget.click();
    const dialog = page.getByRole("dialog", { name: "Forget “Home”?" });
    await dialog.getByText("The cable stays as it is.").waitFor();
    await look("wifi-forget");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    if (!radio.known.has("Home")) throw new Error("the network was forgotten before the answer");
    await forget.click();
    await dialog.getByRole("button", { name: "Forget it" }).click();
    await card.getByText("The box is in no Wi-Fi network.").waitFor();
    await forget.waitFor({ state: "detached" });
    if (radio.known.size > 0) throw new Error("the network is still known");
  },

  async "Wi-Fi looks again for a network, and joins an open one"({ box, page, look }) {
    const { radio } = box.network;
    box.owner = OWNER;
    radio.begin(AIR);
    radio.joins("Home");
    radio.known.set("Summer house", "by the lake");
    const card = await visit(page);
    await card.getByText("The box is in “Home”. Strong signal.").waitFor();
    await page.goBack();
    await page.getByText("In the Wi-Fi network Home").waitFor();
    await look("home-with-wifi");
    await page.goForward();
    await card.getByText("Known, but not in reach").waitFor();
    radio.air = [...AIR, ...Array.from({ length: 9 }, (_, index) => ({ ssid: `Neighbour ${index + 1}`, password: "none of ours", signal: 48 - 5 * index }))];
    const again = card.getByRole("button", { name: "Look again" });
    await tabTo(page, again, 60);
    await page.keyboard.press("Enter");
    await card.getByText("The box looks around.").waitFor();
    await card.getByText("13 networks are in reach.").waitFor();
    await focusOn("the button that was pressed", again);
    if ((await card.locator(".row-name", { hasText: "Neighbour 9" }).count()) > 0) throw new Error("all networks are shown at once");
    await look("wifi-many");
    await card.getByRole("button", { name: "Show all 13 networks" }).click();
    await card.locator(".row-name", { hasText: "Neighbour 9" }).waitFor();
    await card.getByRole("button", { name: "Join… Town library" }).click();
    const form = card.getByRole("form", { name: "Join Town library" });
    await form.getByText("This network has no password").waitFor();
    await look("wifi-open");
    await form.getByRole("button", { name: "Join", exact: true }).click();
    await card.getByText("The box is in “Town library”.").waitFor();
  },

  async "the password of a known Wi-Fi network has changed"({ box, page }) {
    const { radio } = box.network;
    box.owner = OWNER;
    radio.begin([...AIR, { ssid: "Attic", password: "a ladder is needed", signal: 40 }]);
    radio.joins("Attic");
    radio.known.set("Home", WRONG);
    const card = await visit(page);
    await card.getByRole("button", { name: "Join Home" }).click();
    const form = card.getByRole("form", { name: "Join Home" });
    await form.getByText('The network "Home" did not accept the password.').waitFor();
    await waitUntil("the box is back where it was", () => radio.state === "joined" && radio.network === "Attic");
    await form.getByLabel("Password of the network").fill(RIGHT);
    await page.keyboard.press("Enter");
    await card.getByText("The box is in “Home”.").waitFor();
    await form.waitFor({ state: "detached" });
  },

  async "the box's own Wi-Fi network is on"({ box, visitor, page, look }) {
    const { radio } = box.network;
    box.owner = OWNER;
    radio.air = AIR;
    radio.beOwn();
    const card = await visit(page);
    await card.getByText("The box is a Wi-Fi network itself now").waitFor();
    await look("wifi-own");
    if ((await card.getByRole("button", { name: "Look again" }).count()) > 0) throw new Error("a box that is a network can look around");
    const form = card.getByRole("form", { name: "Join another network" });
    await form.getByLabel("Name of the network").fill("Hme");
    await form.getByLabel("Password of the network").fill(RIGHT);
    await form.getByRole("button", { name: "Join", exact: true }).click();
    await page.getByText('The network "Hme" is not in reach. The box goes on trying.').waitFor();
    visitor.expect(409, "/api/v1/network/wifi");
    radio.isThere = false;
    await form.getByRole("button", { name: "Join", exact: true }).click();
    // The page may have seen by now that the radio is gone.
    await page.getByText(/this box has no wireless device|Name servers/).first().waitFor();
  },

  async "a box without a cable joins a Wi-Fi network at set-up"({ box, visitor, page, look }) {
    const { radio } = box.network;
    radio.air = AIR;
    radio.beOwn();
    radio.onOwn = (isOn) => (box.unreachable = !isOn);
    await fillWizard(page, box.claimCode);
    await page.getByRole("button", { name: "Set up my box" }).click();
    await putOffRecovery(page);
    await heading(page, "Join your Wi-Fi at home");
    await look("setup-wifi");
    visitor.mayLose(true);
    const form = page.getByRole("form", { name: "Join another network" });
    await form.getByRole("button", { name: "Join", exact: true }).click();
    await form.getByText("Type the name of the network").waitFor();
    await focusOn("the missing name", form.getByLabel("Name of the network"));
    await form.getByLabel("Name of the network").fill("Home");
    await form.getByLabel("Password of the network").fill(WRONG);
    radio.holds = true;
    await page.keyboard.press("Enter");
    await form.getByText("The box’s own network ends now").waitFor();
    await form.getByText("The box does not answer for now: it is on its way into “Home”.").waitFor();
    await look("setup-wifi-leaving");
    radio.holds = false;
    // The own network is back, and so is this device.
    await form.getByText('The network "Home" did not accept the password.').waitFor();
    await form.getByLabel("Password of the network").fill(RIGHT);
    await page.keyboard.press("Enter");
    await waitUntil("the box is in the network", () => radio.state === "joined");
    // This device goes there too.
    box.unreachable = false;
    await page.getByRole("button", { name: "Continue" }).click();
    await heading(page, "Your box is ready, Robin");
    if (radio.network !== "Home") throw new Error("the box is in another network");
  },
};

async function focusOn(what, locator) {
  await locator.waitFor();
  await waitUntil(`${what} has the focus`, () => hasFocus(locator));
}

async function visit(page) {
  await logIn(page);
  await page.getByRole("button", { name: "Wi-Fi, names, firewall" }).click();
  await heading(page, "Network");
  const card = page.getByRole("region", { name: "Wi-Fi" });
  await card.waitFor();
  return card;
}
