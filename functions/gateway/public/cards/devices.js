// @ts-check
// Devices: a lamp that long-polls for its commands.

import { at, element, follow } from "./stage.js";

let isLit = false;

/** @param {import("./stage.js").Miniature} miniature */
function startDevice(miniature) {
  const { stage } = miniature;
  if (!stage.childElementCount) stage.append(element("div", "", { class: "lamp", role: "img" }), element("code"));
  const light = () => {
    stage.toggleAttribute("data-lit", isLit);
    stage.querySelector(".lamp").ariaLabel = `The lamp is ${isLit ? "on" : "off"}`;
  };
  light();
  follow("devices/demo-lamp", miniature, {
    transports: ["long-poll"],
    onEvent: ({ data }) => {
      const [, command] = String(data).trim().split(/\s+/);
      stage.querySelector("code").textContent = String(data).slice(0, 40);
      if (command === "on" || command === "off") isLit = command === "on";
      light();
    },
  });
}

function command() {
  const id = Math.random().toString(36).slice(2, 8);
  return fetch(at("devices/demo-lamp"), { method: "POST", headers: { "Content-Type": "text/plain" }, body: `${id} ${isLit ? "off" : "on"}` });
}

/** @type {import("./stage.js").Card} */
export const card = {
  name: "devices",
  href: "devices/",
  transport: "long poll",
  text: "Commands for things that can only ask: a shell loop with <code>curl</code> waits for the next one.",
  isHeld: true,
  start: startDevice,
  act: "Switch the lamp",
  press: command,
};
