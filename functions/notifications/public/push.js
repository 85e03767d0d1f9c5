// @ts-check
// Web Push: this device gets what no open page shows. Asks on a click alone, and says what the browser cannot do.

import { access } from "./access.js";
import { request } from "./client.js";
import { role } from "./page.js";

const NEEDS_CLICK = "Get notifications on this device also while this page is closed. The browser asks you first.";
const IS_ON = "This device gets notifications also while this page is closed.";
const BLOCKED = "Notifications are blocked for this site: allow them in the browser's settings, then load the page again.";
const UNSUPPORTED = "This browser cannot get notifications while the page is closed; a private window cannot either.";
const ON_IOS = "On iPhone and iPad this works from the Home Screen: tap Share, then Add to Home Screen, and open the page there.";

/** @typedef {{ id: string, name: string, lastSuccess: number | null, failure: string | null }} Device */

/** The state of Web Push for one channel; `isOn` where the server has it. */
export class Push {
  isOn = false;
  #address;
  /** @type {ServiceWorkerRegistration | undefined} */
  #registration;
  /** @type {PushSubscription | null} */
  #subscription = null;
  #key = "";
  #id = "";
  #isToggling = false;

  /** @param {URL} address of the channel's subscriptions */
  constructor(address) {
    this.#address = address;
  }

  /** Shows the part of the page for it, unless the server has no keys. `clicked` is called when a notification was clicked. @param {(clicked: { url?: string, offset?: string }) => void} clicked */
  async start(clicked) {
    if (!(await this.#read())) return;
    role("push").hidden = false;
    const problem = unable();
    role("push-text").textContent = problem ?? NEEDS_CLICK;
    // A click before there is a worker would lead nowhere.
    role("push-switch").hidden = true;
    if (problem) return;
    navigator.serviceWorker.addEventListener("message", ({ data }) => {
      if (data.clicked) clicked(data.clicked);
      if (data.isSubscriptionOld) void this.#renew();
    });
    this.#registration = await navigator.serviceWorker.register("-/push-worker.js", { scope: "./" });
    this.#subscription = await this.#registration.pushManager.getSubscription();
    if (this.#subscription) await this.#renew();
    role("push-switch").onclick = () => this.#toggle();
    role("push-switch").hidden = false;
    this.#paint();
  }

  /** Closes what was read elsewhere, and sets the number at the app's icon. @param {(offset: string) => boolean} isRead @param {number} unread */
  async clear(isRead, unread) {
    if (!this.#registration) return;
    for (const shown of await this.#registration.getNotifications()) if (isRead(shown.data?.offset)) shown.close();
    await (unread ? navigator.setAppBadge?.(unread) : navigator.clearAppBadge?.());
  }

  /** Subscribing comes first, or Safari has forgotten the click. */
  async #toggle() {
    // A second click, while the first is under way, does not mean the opposite.
    if (this.#isToggling) return;
    this.#isToggling = true;
    try {
      if (this.#subscription) await this.#remove(this.#id);
      else {
        this.#subscription = await this.#subscribe();
        await this.#put();
      }
    } catch (cause) {
      role("push-text").textContent = unable() ?? `It failed: ${/** @type {any} */ (cause).detail ?? cause}`;
      return;
    } finally {
      this.#isToggling = false;
    }
    this.#paint();
  }

  #subscribe() {
    return /** @type {ServiceWorkerRegistration} */ (this.#registration).pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: this.#key });
  }

  /** Subscriptions end without a word, and the server's key may be a new one. */
  async #renew() {
    try {
      const key = this.#subscription?.options.applicationServerKey;
      if (!this.#subscription || (key && encoded(key) !== this.#key)) {
        await this.#subscription?.unsubscribe();
        this.#subscription = await this.#subscribe();
      }
      await this.#put();
    } catch {
      // Shown as off: a click tries again.
      this.#subscription = null;
    }
    this.#paint();
  }

  async #put() {
    const page = location.href.split("#")[0];
    const body = JSON.stringify({ .../** @type {PushSubscription} */ (this.#subscription).toJSON(), name: deviceName(), page });
    const answer = await request(this.#address, { method: "PUT", body }, access);
    this.#id = (await answer.json()).id;
    await this.#read();
  }

  /** @param {string} id */
  async #remove(id) {
    const address = new URL(this.#address);
    address.searchParams.set("id", id);
    await request(address, { method: "DELETE" }, access);
    if (id === this.#id) {
      await this.#subscription?.unsubscribe();
      this.#subscription = null;
    }
    await this.#read();
    this.#paint();
  }

  /** Whether the server has Web Push; its key, and the devices. */
  async #read() {
    try {
      const { key, subscriptions } = await (await request(this.#address, {}, access)).json();
      this.#key = key;
      this.isOn = Boolean(key);
      role("devices").replaceChildren(...subscriptions.map((/** @type {Device} */ device) => this.#row(device)));
      return this.isOn;
    } catch {
      return false;
    }
  }

  /** @param {Device} device */
  #row({ id, name, lastSuccess, failure }) {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.textContent = "Remove";
    button.onclick = () => this.#remove(id).catch(({ detail }) => (role("push-text").textContent = detail));
    const state = failure ? `failed: ${failure}` : lastSuccess ? `last message ${new Date(lastSuccess).toLocaleString("en")}` : "no message yet";
    row.append(`${name || "A device"}, ${state} `, button);
    return row;
  }

  #paint() {
    role("push-switch").textContent = this.#subscription ? "Stop on this device" : "Notify this device";
    role("push-text").textContent = this.#subscription ? IS_ON : unable() ?? NEEDS_CLICK;
  }
}

/** Why this browser cannot, if it cannot. */
function unable() {
  const isIos = /iPad|iPhone|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) return isIos ? ON_IOS : UNSUPPORTED;
  return Notification.permission === "denied" ? BLOCKED : undefined;
}

/** @param {ArrayBuffer} key */
const encoded = (key) => btoa(String.fromCharCode(...new Uint8Array(key))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function deviceName() {
  const [, system] = /(Windows|Android|iPhone|iPad|Mac OS X|Linux|CrOS)/.exec(navigator.userAgent) ?? [];
  const [, browser] = /(Edg|OPR|Firefox|Chrome|Safari)/.exec(navigator.userAgent) ?? [];
  return [browser, system].filter(Boolean).join(" on ");
}
