// The public conformance suite of Durable Streams, which we did not write, against the raw log.

import { runConformanceTests } from "@durable-streams/server-conformance-tests";
import { beforeAll, describe, TestRunner } from "vitest";
import { BASE_URL, freshName, useServer } from "../harness/suite.ts";

/** What PROTOCOL.md does not support yet, and a group whose point is the TTL that HEAD tells. */
const LEFT_OUT = /^(TTL|Fork|HEAD Metadata Edge Cases|Reserved subscription APIs)\b/;

const server = useServer("durable-streams");

/** The suite uses names of its own, which a deployment that opens only `demo-` refuses. */
const refused = BASE_URL !== undefined && (await fetch(`${BASE_URL}/v1/stream/basic-${freshName()}`, { method: "HEAD" })).status === 403;
const suite = refused
  ? (title: string, body: () => void) => describe.skip(`${title} (skipped: needs a server with OPEN_ACCESS)`, body)
  : describe;

suite("durable streams", () => {
  // The suite reads the address when a test runs, so it may be filled in once the server has a port.
  const options = { baseUrl: "", longPollTimeoutMs: BASE_URL ? 25_000 : 2_000 };
  beforeAll(() => {
    options.baseUrl = server.url;
  });

  runConformanceTests(options);

  // The groups are registered but not yet collected here: those left out never become tests, so none counts as skipped.
  const { tasks } = TestRunner.getCurrentSuite();
  const all = tasks.splice(0);
  tasks.push(...all.filter(({ name }) => !LEFT_OUT.test(name)));
  const leftOut = all.filter((group) => !tasks.includes(group)).map(({ name }) => name);
  console.log(`durable streams: ${tasks.length} of ${all.length} groups run; left out: ${leftOut.join(", ")}`);
});
