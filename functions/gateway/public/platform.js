// @ts-check
// What the server of this page offers: a browser cannot tell a server without WebSocket from a network that lets none through.

const offer = document.querySelector("meta[name=tidewire-transports]")?.getAttribute("content"); // where it is not all

export const hasWebSocket = !offer || offer.split(" ").includes("websocket");
