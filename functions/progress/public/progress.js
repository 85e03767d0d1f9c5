// @ts-check
// One job or upload: starts it, or watches it by its link.
//
// The page draws what the channel says, also in the tab that uploads: what the server has counted, not what the browser has sent.

import { amount, speed, time } from "./figures.js";
import { simulate, upload } from "./start.js";
import { isOver, progress, watch } from "./watch.js";

const QUIET_MS = 5_000; // without news for so long, the page says so

Object.assign(window, { tidewireProgress: progress }); // for the console and for tests

/** @type {(name: string) => any} the page is ours: what has a role is there */
const role = (name) => document.querySelector(`[data-role="${name}"]`);

// `./` keeps a colon in the name from being read as a scheme.
const channelUrl = (name) => new URL(`./${name.replace(/[#?%]/g, encodeURIComponent)}`, document.baseURI);
const linked = () => new URLSearchParams(location.search).get("channel");

/** Shows a channel and follows it; its link is the page's address from now on. */
function open(name) {
  const url = channelUrl(name);
  const link = new URL(`?channel=${encodeURIComponent(name)}`, document.baseURI);
  if (linked() !== name) history.pushState(null, "", link);
  role("start").hidden = true;
  role("job").hidden = false;
  role("link").value = link;
  role("label").textContent = name;
  show("connecting");
  watch(url, (state, message) => (state === "refused" ? refused(message) : show(state, message)));
  return url;
}

function onCancel(cancel) {
  role("cancel").hidden = false;
  role("cancel").onclick = () => {
    role("cancel").disabled = true;
    cancel();
  };
}

function show(state, outcome = "") {
  // What is over stays so, whatever its stream does.
  if (isOver()) state = progress.job.type;
  else if (progress.state === "refused") return;
  progress.state = state;
  role("state").textContent = role("state").dataset.state = state;
  const { job } = progress;
  if (job) {
    const rate = speed();
    const part = job.max ? Math.min(1, job.value / job.max) : undefined;
    role("job").dataset.is = job.type;
    role("label").textContent = document.title = job.label || "job";
    role("percent").textContent = part === undefined ? (job.type === "done" ? "100 %" : "–") : `${Math.floor(100 * part)} %`;
    role("amount").textContent = job.max ? `${amount(job.value, job.unit)} of ${amount(job.max, job.unit)}` : amount(job.value, job.unit);
    role("speed").textContent = rate && !isOver() ? `${amount(rate, job.unit)}/s` : "";
    role("left").textContent = rate && job.max && !isOver() ? `${time((job.max - job.value) / rate)} left` : "";
    role("sha256").textContent = job.sha256 ?? "";
    role("digest").hidden = !job.sha256;
    outcome ||= job.type === "failed" ? job.detail || job.reason : "";
    // Without a value it shows that nobody knows how much there is.
    if (part !== undefined || isOver()) role("bar").value = job.type === "done" ? 1 : part ?? 0;
    else role("bar").removeAttribute("value");
  }
  const isEnd = isOver() || state === "refused" || state === "failed";
  role("outcome").textContent = outcome;
  role("outcome").hidden = !outcome;
  role("another").hidden = !isEnd;
  if (isEnd) role("cancel").hidden = true;
}

function refused(message) {
  show("refused");
  notify(message);
}

function notify(message) {
  role("notice").textContent = message;
  role("notice").hidden = !message;
}

/** What changes with time alone. */
function tick() {
  const quietMs = Date.now() - progress.heardAt;
  if (progress.state === "live" && quietMs > QUIET_MS) {
    role("speed").textContent = "";
    role("left").textContent = `no news for ${time(quietMs / 1_000)}`;
  }
}

role("file").onchange = ({ target }) => target.files[0] && upload(target.files[0], { open, onCancel, refused });
for (const type of ["dragenter", "dragover"]) role("drop").addEventListener(type, () => role("drop").classList.add("over"));
for (const type of ["dragleave", "drop"]) role("drop").addEventListener(type, () => role("drop").classList.remove("over"));
role("simulate").onclick = () => simulate({ open, onCancel, refused });
role("copy").onclick = async () => {
  role("link").select();
  // Missing on plain HTTP, refused by some: the text is selected then, and says what to do.
  const isCopied = await navigator.clipboard?.writeText(role("link").value).then(() => true, () => false);
  role("copy").textContent = isCopied ? "Copied" : "Selected";
};
addEventListener("popstate", () => location.reload());
setInterval(tick, 1_000);

const channel = linked();
const example = channelUrl(channel || "demo-film");
role("curl").textContent = channel
  ? `curl -N -H 'accept: text/event-stream' '${example}'`
  : `curl -T film.mp4 '${new URL("-/upload/demo-film?name=film.mp4", document.baseURI)}'\ncurl -N -H 'accept: text/event-stream' '${example}'`;
if (channel) open(channel);
