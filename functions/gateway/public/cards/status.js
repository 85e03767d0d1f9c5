// @ts-check
// Status: a poll now and then, most of them answered 304 to the browser.

import { at, element, json } from "./stage.js";

const COMPONENTS = ["Website", "API", "Payments", "E-mail"];
const STATES = ["operational", "degraded", "down"];
const STATUS_S = 5;

let board = {};
let boardOffset = "-1";

/** @param {import("./stage.js").Miniature} miniature */
async function startStatus({ stage, signal, enter }) {
  let isOld = false;
  let wake = () => {};
  // An answer that was on its way in the meantime may be of the time before.
  stage.addEventListener("set", () => {
    isOld = true;
    wake();
  }, { signal });
  signal.addEventListener("abort", () => wake());
  while (!signal.aborted) {
    let waitS = STATUS_S;
    isOld = false;
    try {
      const answer = await fetch(at("status/demo-status"), { signal });
      const value = (await answer.json()).at(-1);
      board = value && typeof value === "object" ? value : {};
      boardOffset = answer.headers.get("Stream-Next-Offset") ?? "-1";
      waitS = Number(answer.headers.get("Retry-After")) || STATUS_S;
      enter("live");
      drawBoard(stage);
    } catch {
      enter(signal.aborted ? "closed" : "waiting");
    }
    if (isOld || signal.aborted) continue;
    await new Promise((done) => {
      const timer = setTimeout(done, waitS * 1_000);
      wake = () => done(clearTimeout(timer));
    });
  }
}

function drawBoard(stage) {
  const rows = COMPONENTS.map((name) => {
    const { state } = Object(board[name]);
    const row = element("div", "", { "data-is": STATES.includes(state) ? state : "" });
    row.append(element("dt", name), element("dd", STATES.includes(state) ? state : "not set"));
    return row;
  });
  const list = stage.querySelector("dl") ?? stage.appendChild(element("dl"));
  list.replaceChildren(...rows);
}

/** The API, from good to bad and back. Who was slower than another asks again and sees what that one set. */
async function setStatus(stage) {
  const state = STATES[(STATES.indexOf(board.API?.state) + 1) % STATES.length];
  const all = Object.fromEntries(COMPONENTS.map((name) => [name, { state: "operational" }]));
  const body = { ...all, ...board, API: { state, since: Date.now() } };
  await fetch(at("status/demo-status"), json("POST", body, { "Stream-Seq": boardOffset }));
  stage.dispatchEvent(new Event("set"));
}

/** @type {import("./stage.js").Card} */
export const card = {
  name: "status",
  href: "status/",
  transport: "short poll",
  text: "A status that changes rarely, asked for every few seconds; most answers are only “nothing new”.",
  isHeld: false,
  start: startStatus,
  act: "Set the API",
  press: setStatus,
};
