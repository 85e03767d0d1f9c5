// Who commands a device, and a device: both long-poll. `{device}` holds lines "ID COMMAND", `{device}:done` lines "ID done|failed NOTE".

const TIMEOUT_S = 30; // as in lib.rs: a command is done within it or never
const MAX_COMMANDS = 20; // shown
const RETRY_MS = 1_000; // the first delay is up to this, the next up to twice as much
const MAX_RETRY_MS = 10_000;
const ANSWER_MS = 10_000; // for an answer to begin, and between two pieces of it
const LONG_POLL_MS = 60_000; // for that of a long poll to begin: twice what servers hold it

const device = new URLSearchParams(location.search).get("channel") || "demo-lamp";
// `./` keeps a colon in the name from being read as a scheme.
const commandsUrl = new URL(`./${device.replace(/[#?%]/g, encodeURIComponent)}`, document.baseURI);
const answersUrl = new URL(`${commandsUrl}:done`);

const role = (name) => document.querySelector(`[data-role="${name}"]`);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// ---- Asking

/** Asking again is of no use: finished, or refused. */
class Stop extends Error {}

/** One request for what follows `at.offset`, which moves on. Answers the line that came, or nothing. */
async function ask(url, at, query, signal) {
  const from = new URL(url);
  from.search = new URLSearchParams({ offset: at.offset, ...query });
  const { response, body: line } = await request(from, { cache: "no-store" }, signal, query.live ? LONG_POLL_MS : ANSWER_MS);
  signal?.throwIfAborted();
  // What waited for us is too old: go on with what is left.
  if (response.status === 410) return void (at.offset = "-1");
  if (response.status === 429 || response.status === 408 || response.status >= 500) throw new Error(`status ${response.status}`);
  if (response.status >= 400 || response.headers.get("Stream-Closed")) throw new Stop(problem(response, line));
  at.offset = response.headers.get("Stream-Next-Offset");
  return response.status === 200 ? line : "";
}

/**
 * The answer and its body. `headMs` is for the head alone; then each piece of the body has ANSWER_MS, so that a long one comes over a slow line, too.
 * By hand: Safari before 17.4 has no `AbortSignal.any`.
 */
async function request(url, options, signal, headMs) {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const abort = () => controller.abort();
  signal?.addEventListener("abort", abort);
  let timer = setTimeout(abort, headMs);
  try {
    const response = await fetch(url, { ...options, signal: controller.signal });
    const reader = response.body?.getReader();
    const decoder = new TextDecoder();
    for (let body = ""; ; ) {
      clearTimeout(timer);
      timer = setTimeout(abort, ANSWER_MS);
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) return { response, body };
      body += decoder.decode(value, { stream: true });
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** Long-polls until `signal` ends it; `take` gets each line. */
async function follow(url, at, signal, take, show = () => {}) {
  for (let failures = 0; !signal.aborted; ) {
    try {
      // A long poll may be silent for half a minute; the tail tells at once that the server is there.
      const line = at.offset === "now" ? await ask(url, at, {}, signal) : await ask(url, at, { live: "long-poll" }, signal);
      failures = 0;
      show("asking");
      if (line) await take(line);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Stop) return show("refused", error.message);
      show("reconnecting");
      // Full jitter, so that a thousand devices do not come back in the same moment.
      await sleep(Math.random() * Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** failures++));
    }
  }
}

const publish = (url, line) =>
  fetch(url, { method: "POST", headers: { "Content-Type": "text/plain" }, body: line, signal: AbortSignal.timeout(ANSWER_MS) });

function problem(response, body) {
  try {
    const { title, detail } = JSON.parse(body);
    return detail ?? title;
  } catch {
    return `The server answered ${response.status}.`;
  }
}

/** The first words of a line, and the rest of it. */
function words(line, count) {
  const parts = line.trim().split(/\s+/);
  return [...parts.slice(0, count), parts.slice(count).join(" ")];
}

// ---- Who commands

const commands = new Map();
const answered = { offset: "now" };
let listening;

async function send(text) {
  const id = Math.random().toString(36).slice(2, 10);
  const command = { text, is: "pending", answer: "", until: Date.now() + TIMEOUT_S * 1_000 };
  commands.set(id, command);
  if (commands.size > MAX_COMMANDS) commands.delete(commands.keys().next().value);
  paint();
  notify("");
  try {
    // Before it is sent, or its answer could come before we know where to listen from.
    if (answered.offset === "now") await ask(answersUrl, answered, {});
    listen();
    const response = await publish(commandsUrl, `${id} ${text}`);
    if (!response.ok) throw new Stop(problem(response, await response.text()));
  } catch (error) {
    // Without an answer it may have arrived all the same: sent again it could be done twice, so the device's word or the time decides.
    if (error instanceof Stop) command.is = "not sent";
    notify(error instanceof Stop ? error.message : "The server does not answer. Whether the command arrived will show.");
    listen();
    paint();
  }
}

/** Listens as long as an answer is to come, and no longer. */
function listen() {
  if (listening || answered.offset === "now") return;
  listening = new AbortController();
  follow(answersUrl, answered, listening.signal, (line) => {
    const [id, is, answer] = words(line, 2);
    const command = commands.get(id);
    if (command && (is === "done" || is === "failed")) Object.assign(command, { is, answer });
    paint();
  });
}

function tick() {
  let pending = 0;
  for (const command of commands.values()) {
    if (command.is !== "pending") continue;
    if (Date.now() > command.until) command.is = "timed out";
    else pending += 1;
  }
  if (!pending) {
    listening?.abort();
    listening = undefined;
  }
  paint();
}

// ---- A device

const asked = { offset: "now" };
let power;

/** Does a command and answers; what it throws is a failure of the command. */
const abilities = {
  on: () => light(true),
  off: () => light(false),
  async blink(times) {
    const count = Math.min(5, Number(times) || 1);
    for (let flash = 0; flash < count * 2; flash++) {
      light(flash % 2 === 0);
      await sleep(200);
    }
    return `${count} times`;
  },
};

async function obey(line) {
  const [id, name, argument] = words(line, 2);
  const ability = Object.hasOwn(abilities, name) && abilities[name];
  const answer = ability ? `${id} done ${(await ability(argument)) ?? ""}` : `${id} failed unknown command`;
  for (let tries = 0; tries < 5; tries++) {
    // The same answer twice does no harm.
    const response = await publish(answersUrl, answer).catch(() => undefined);
    if (response && response.status < 500) return;
    await sleep(RETRY_MS * 2 ** tries);
  }
}

function turn(isOn) {
  role("device").ariaChecked = isOn;
  power?.abort();
  power = isOn ? new AbortController() : undefined;
  // It begins with what comes from now on: a lamp that was off does not catch up.
  asked.offset = "now";
  showDevice(isOn ? "connecting" : "off");
  if (isOn) follow(commandsUrl, asked, power.signal, obey, showDevice);
}

function showDevice(state, message) {
  role("state").textContent = role("state").dataset.state = state;
  if (message) notify(message);
}

function light(isLit) {
  role("lamp").toggleAttribute("data-lit", isLit);
  role("lamp").ariaLabel = `The lamp is ${isLit ? "on" : "off"}`;
}

// ---- The page

function paint() {
  const rows = [...commands].reverse().map(([id, { text, is, answer, until }]) => {
    const row = role("commands").querySelector(`[data-id="${id}"]`) ?? document.querySelector("template").content.firstElementChild.cloneNode(true);
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

function notify(message) {
  role("notice").textContent = message;
  role("notice").hidden = !message;
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
role("device").onclick = () => turn(!power);
setInterval(tick, 250);
