// @ts-check
// Who commands a device: sends, and listens for what became of it.

import { access } from "./access.js";
import { answersUrl, commandsUrl, device, LONG_POLLS, notify, role, words } from "./channels.js";
import { publish, subscribe } from "./client.js";
import { turn } from "./lamp.js";

const TIMEOUT_S = 30; // as in lib.rs: a command is done within it or never
const MAX_COMMANDS = 20; // shown
const ANSWER_MS = 10_000; // of the server, to a command that is sent

const commands = new Map();
/** The newest answer that was heard. */
let answered = "now";
let listening;

/** Whether a server spoke, be it to say that it is busy: then it took nothing, and says why. */
const isAnswer = ({ status, retryable }) => status > 0 || retryable === false;

async function send(text) {
  const id = Math.random().toString(36).slice(2, 10);
  const command = { text, is: "pending", answer: "", until: Date.now() + TIMEOUT_S * 1_000 };
  commands.set(id, command);
  if (commands.size > MAX_COMMANDS) commands.delete(commands.keys().next().value);
  paint();
  notify("");
  try {
    // Before it is sent, or its answer could come before we know where to listen from.
    await listen();
    // It took too long: nobody expects the lamp to go on any more.
    if (command.is !== "pending") return;
    await publish(commandsUrl, `${id} ${text}`, { ...access, contentType: "text/plain", attempts: 1, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (error) {
    // Without an answer it may have arrived all the same: sent again it could be done twice, so the device's word or the time decides.
    // The device's word counts, also against a proxy that gave the server up.
    if (command.is !== "pending") return;
    if (isAnswer(error)) command.is = "not sent";
    notify(isAnswer(error) ? error.detail || error.code : "The server does not answer. Whether the command arrived will show.");
    paint();
  }
}

/** Listens as long as an answer is to come, and no longer. Resolves once it does. */
function listen() {
  listening ??= begin();
  return listening.begun;
}

function begin() {
  let subscription;
  const begun = new Promise((resolve, reject) => {
    subscription = subscribe(answersUrl, {
      ...access,
      ...LONG_POLLS,
      offset: answered,
      onState: (state) => state === "live" && resolve(undefined),
      onError: (error) => {
        if (!error.retryable) reject(error);
        else if (answered === "now") notify(isAnswer(error) ? error.detail || error.code : "The server does not answer. It is asked again.");
      },
      onEvent({ data }) {
        const [id, is, answer] = words(String(data), 2);
        const command = commands.get(id);
        if (command && (is === "done" || is === "failed")) Object.assign(command, { is, answer });
        paint();
      },
    });
  });
  return { begun, subscription };
}

function tick() {
  let pending = 0;
  for (const command of commands.values()) {
    if (command.is !== "pending") continue;
    if (Date.now() > command.until) command.is = "timed out";
    else pending += 1;
  }
  if (!pending && listening) {
    answered = listening.subscription.offset;
    listening.subscription.close();
    listening = undefined;
  }
  paint();
}

function paint() {
  const rows = [...commands].reverse().map(([id, { text, is, answer, until }]) => {
    const row = /** @type {any} */ (role("commands").querySelector(`[data-id="${id}"]`) ?? document.querySelector("template").content.firstElementChild.cloneNode(true));
    row.dataset.id = id;
    row.dataset.is = is;
    const left = is === "pending" ? `${Math.max(0, Math.ceil((until - Date.now()) / 1_000))} s` : "";
    for (const [part, value] of [["code", text], [".answer", answer], ["output", is], [".left", left]]) {
      if (row.querySelector(part).textContent !== value) row.querySelector(part).textContent = value;
    }
    return row;
  });
  if (rows.length !== role("commands").children.length || rows[0] !== role("commands").firstElementChild) role("commands").replaceChildren(...rows);
  role("none").hidden = rows.length > 0;
}

document.title = `${device} · Tidewire`;
role("channel").textContent = device;
role("curl").textContent =
  `curl '${commandsUrl}?live=long-poll&offset=now'; echo\n` + `curl '${answersUrl}' -H 'content-type: text/plain' -d 'ID done'`;
role("form").onsubmit = (event) => {
  event.preventDefault();
  send(role("command").value.trim().replace(/\s+/g, " "));
  role("command").value = "";
};
role("device").onclick = () => turn(TIMEOUT_S * 1_000);
setInterval(tick, 250);
