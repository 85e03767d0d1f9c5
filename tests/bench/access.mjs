// The time that checking a credential adds to a request: a HEAD with each kind of credential against a HEAD without a credential, in turns in one run.
//
//   TIDEWIRE_PLATFORM=spin node bench/access.mjs

import http from "node:http";
import { freshProviderKey, Provider } from "../harness/provider.ts";
import { Server } from "../harness/server.ts";
import { freshKey, inSeconds, mint, ticketKeys } from "../harness/ticket.ts";

const ROUNDS = 400;
const WARM_UP = 20;

const key = freshKey();
const keys = { RS256: freshProviderKey("RS256", "rs"), ES256: freshProviderKey("ES256", "es"), EdDSA: freshProviderKey("EdDSA", "ed") };
const provider = await Provider.start(Object.values(keys));
const server = await Server.start({ name: "bench-access", vars: { OPEN_ACCESS: "false", TICKET_KEYS: ticketKeys(key), ...provider.vars } });
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

// Open to all, so that what differs is the credential alone.
const credentials = {
  none: undefined,
  "ticket (HS256)": mint(key, { aud: "feed", ch: "*", rights: ["read"], exp: inSeconds(3_000) }),
  ...Object.fromEntries(Object.entries(keys).map(([name, key]) => [`token (${name})`, provider.token(key)])),
};

function ask(credential) {
  const headers = credential ? { authorization: `Bearer ${credential}` } : {};
  return new Promise((answered, failed) => {
    const begin = performance.now();
    const request = http.request(`${server.url}/feed/demo-bench`, { agent, method: "HEAD", headers }, (answer) => {
      answer.resume().on("end", () => (answer.statusCode === 200 ? answered(performance.now() - begin) : failed(new Error(`${answer.statusCode}`))));
    });
    request.on("error", failed).end();
  });
}

try {
  const times = Object.fromEntries(Object.keys(credentials).map((name) => [name, []]));
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    for (const [name, credential] of Object.entries(credentials)) {
      const time = await ask(credential);
      if (round >= 0) times[name].push(time);
    }
  }
  // On a machine that does other things as well, the fastest tenth is what the work itself takes.
  const fast = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 10)];
  console.log("| credential | fastest tenth | more than none | ratio |\n|---|---|---|---|");
  for (const [name, list] of Object.entries(times)) {
    console.log(`| ${name} | ${fast(list).toFixed(2)} ms | ${(fast(list) - fast(times.none)).toFixed(2)} ms | ${(fast(list) / fast(times.none)).toFixed(2)} |`);
  }
} finally {
  await server.stop();
  await provider.down();
}
