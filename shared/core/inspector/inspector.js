// @ts-check
// Looks into one channel: its figures, and its events as they come.

const SHOWN = 200; // events in the list
const SHOWN_CHARACTERS = 4_000; // of each
const STATS_MS = 5_000; // each question wakes the channel's object
const RETRY_MS = 2_000; // where the server suggests none
const TICKET = "tidewire-ticket"; // in the storage of this tab

const base = new URL("../", location.href);
const at = (role) => /** @type {HTMLElement} */ (document.querySelector(`[data-role="${role}"]`));
const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
const field = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
const pause = /** @type {HTMLButtonElement} */ (at("pause"));

/** What is looked at; its `offset` moves on. @type {{ name: string, url: URL, headers: Record<string, string>, offset: string } | undefined} */
let channel;
let following = new AbortController();
let statsTimer;
let wantsStats = false;

/** The server said no. */
class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.isFinal = status < 500 && status !== 429;
    this.isDenied = status === 401 || status === 403;
  }
}

async function ask(url, headers, signal, method = "GET") {
  const answer = await fetch(url, { method, headers, signal, cache: "no-store", credentials: "omit" });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, `${answer.status} ${problem.detail ?? problem.title ?? answer.statusText}`);
}

function show(state, why = "") {
  at("state").textContent = state;
  at("notice").textContent = why;
  at("notice").hidden = !why;
  pause.textContent = state === "paused" ? "Resume" : "Pause";
  pause.disabled = !["live", "paused", "connecting", "reconnecting"].includes(state);
}

// ---- Events

/** The events of an SSE stream of ours, whose lines end with a line feed. */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    const blocks = (rest + chunk.value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = { type: "", id: "", retry: "", data: [] };
      for (const line of block.split("\n")) {
        const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
        if (name === "data") event.data.push(value);
        else if (name === "event") event.type = value;
        else if (name === "id" || name === "retry") event[name] = value;
      }
      yield { ...event, data: event.data.length ? event.data.join("\n") : undefined };
    }
  }
}

function list(offset, text, isGap) {
  const row = /** @type {DocumentFragment} */ (document.querySelector("template")?.content.cloneNode(true));
  const item = /** @type {HTMLElement} */ (row.firstElementChild);
  const [button, data] = /** @type {any} */ (item.children);
  item.classList.toggle("gap", isGap);
  button.textContent = button.value = offset;
  // Whatever it holds, it is text.
  data.textContent = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)} … (${text.length} characters)` : text;
  at("events").prepend(item);
  while (at("events").children.length > SHOWN) at("events").lastElementChild?.remove();
}

/** Follows the channel from where it is, over one stream after the other, until it is told to stop. */
async function follow() {
  following.abort();
  following = new AbortController();
  const { signal } = following;
  const now = channel;
  if (!now) return;
  let retryMs = RETRY_MS;
  show("connecting");
  while (!signal.aborted) {
    try {
      // Else what comes between two streams would be missed.
      if (now.offset === "now") now.offset = (await ask(now.url, now.headers, signal, "HEAD")).headers.get("Stream-Next-Offset") ?? "-1";
      const url = new URL(`?offset=${encodeURIComponent(now.offset)}`, now.url);
      const answer = await ask(url, { ...now.headers, Accept: "text/event-stream" }, signal);
      if (answer.status === 204) return show("finished");
      show("live");
      for await (const { type, id, retry, data } of eventsOf(answer.body)) {
        if (signal.aborted) return;
        if (retry) retryMs = Number(retry);
        if (type === "close") return show("ended", `The server ended the stream: ${data}`);
        if (!id) continue; // presence, heartbeats
        now.offset = id;
        if (data === undefined) continue; // where it is, before the first event
        list(id, type === "gap" ? `Events are gone: ${data}` : data, type === "gap");
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.isFinal) return show("refused", error.message);
      show("reconnecting", error instanceof Refused ? error.message : "");
    }
    await new Promise((wake) => setTimeout(wake, retryMs));
  }
}

// ---- Figures

async function pollStats() {
  clearTimeout(statsTimer);
  const now = channel;
  if (!now || !wantsStats || document.hidden) return;
  let notice = "";
  try {
    const stats = await (await ask(new URL(`-/stats/${now.name}`, base), now.headers)).json();
    if (now !== channel) return;
    const { readers, sinceWake, store } = stats;
    const figures = { ...Object.fromEntries(Object.entries(readers).map(([name, count]) => [`${name} readers`, count])), offset: stats.offset, events: stats.events, "stored bytes": stats.storedBytes, ...sinceWake, ...(store && { store: store.engine, "last look": `${store.lookMs} ms`, reconnects: store.reconnects }) };
    at("scope").textContent = stats.instance ? `of the instance ${stats.instance}` : "";
    at("stats").replaceChildren(...Object.entries(figures).map(([name, value]) => {
      const [row, term, figure] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
      figure.dataset.figure = term.textContent = name;
      figure.textContent = String(value);
      row.append(term, figure);
      return row;
    }));
  } catch (error) {
    if (now !== channel) return;
    notice = error instanceof Refused ? error.message : "no connection";
    // Asked again every few seconds it would fill the log.
    wantsStats = !(error instanceof Refused && error.isDenied);
  }
  at("stats-notice").textContent = notice;
  clearTimeout(statsTimer);
  statsTimer = setTimeout(pollStats, STATS_MS);
}

// ---- What is pressed

function inspect() {
  const [name, ticket] = [field("channel").value.trim(), field("ticket").value.trim()];
  // `./` keeps a colon in the name from being read as a scheme.
  const url = new URL(`./${name}`, base);
  following.abort();
  channel = undefined;
  // Anything else would send the ticket where no channel is.
  if (url.href !== base.href + name || name.startsWith("-") || /[?#]|\/\//.test(name)) return show("refused", "This is no name of a channel.");
  sessionStorage.setItem(TICKET, ticket);
  history.replaceState(null, "", `?channel=${encodeURIComponent(name)}`);
  channel = { name, url, headers: ticket ? { Authorization: `Bearer ${ticket}` } : {}, offset: field("offset").value.trim() };
  wantsStats = true;
  at("events").replaceChildren();
  at("stats").replaceChildren();
  void follow();
  void pollStats();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  inspect();
});
pause.addEventListener("click", () => {
  if (pause.textContent === "Resume") return void follow();
  following.abort();
  show("paused");
});
at("events").addEventListener("click", ({ target }) => {
  if (!(target instanceof HTMLButtonElement)) return;
  field("offset").value = target.value;
  inspect();
});
document.addEventListener("visibilitychange", () => void pollStats());

field("ticket").value = sessionStorage.getItem(TICKET) ?? "";
field("channel").value = new URLSearchParams(location.search).get("channel") ?? "";
if (field("channel").value) inspect();
