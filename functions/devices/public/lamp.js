// @ts-check
// A device: a lamp that does the commands that come while it is on, and answers each.

import { access } from "./access.js";
import { answersUrl, commandsUrl, LONG_POLLS, notify, role, words } from "./channels.js";
import { publish, subscribe } from "./client.js";

const STATES = { live: "asking", waiting: "reconnecting", finished: "refused", failed: "refused" };

/** Does a command and answers; what it throws is a failure of the command. */
const abilities = {
  on: () => light(true),
  off: () => light(false),
  async blink(times) {
    const count = Math.min(5, Number(times) || 1);
    for (let flash = 0; flash < count * 2; flash++) {
      light(flash % 2 === 0);
      await new Promise((done) => setTimeout(done, 200));
    }
    return `${count} times`;
  },
};

let power;
/** The commands that were taken, one after the other, also when the lamp was off and on again in between: each would disturb the other. */
let done = Promise.resolve();

/**
 * Switches the device on or off. It begins with what comes from now on: a lamp that was off does not catch up, and one that is busy leaves out what
 * waited for `validMs`.
 */
export function turn(validMs) {
  const isOn = !power;
  role("device").ariaChecked = isOn;
  power?.close();
  power = undefined;
  show(isOn ? "connecting" : "off");
  if (!isOn) return;
  const mine = subscribe(commandsUrl, {
    ...access,
    ...LONG_POLLS,
    offset: "now",
    onState: (state) => STATES[state] && show(STATES[state]),
    onError: ({ retryable, detail, code }) => retryable || notify(detail || code),
    onEvent({ data }) {
      const until = Date.now() + validMs;
      // Whoever sent one that waited for too long has been told that it timed out.
      done = done.then(() => (power === mine && Date.now() < until ? obey(String(data)) : undefined));
    },
  });
  power = mine;
}

async function obey(line) {
  const [id, name, argument] = words(line, 2);
  const ability = Object.hasOwn(abilities, name) && abilities[name];
  const done = async () => (ability ? `done ${(await ability(argument)) ?? ""}` : "failed unknown command");
  const outcome = await done().catch(({ message }) => `failed ${message}`);
  // The next command does not wait for it. Without it this one counts as timed out.
  publish(answersUrl, `${id} ${outcome}`, { ...access, contentType: "text/plain" }).catch(() => {});
}

function show(state) {
  role("state").textContent = role("state").dataset.state = state;
}

function light(isLit) {
  role("lamp").toggleAttribute("data-lit", isLit);
  role("lamp").ariaLabel = `The lamp is ${isLit ? "on" : "off"}`;
}
