// The public conformance suite of Durable Streams, which we did not write, against the raw log.

import { runConformanceTests } from "@durable-streams/server-conformance-tests";
import { beforeAll, describe, expect, test, TestRunner, type RunnerTask, type RunnerTestCase } from "vitest";
import { BASE_URL, freshName, useServer } from "../harness/suite.ts";

/** Forks, which answer 501. */
const LEFT_OUT = /^Fork - /;

/** Number of tests of version 0.3.6 outside those groups; all of them must run. The 6 of `Reserved subscription APIs` run only where an option of the suite says so. */
const TESTS = 250;

const server = useServer();

/** The suite uses names of its own, which a deployment that opens only `demo-` refuses. */
const refused = BASE_URL !== undefined && (await fetch(`${BASE_URL}/v1/stream/basic-${freshName()}`, { method: "HEAD" })).status === 401;
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

  // The groups are registered but not yet collected here: groups that are left out never become tests, so they do not count as skipped.
  const { tasks } = TestRunner.getCurrentSuite();
  const all = tasks.splice(0);
  tasks.push(...all.filter(({ name, mode }) => !LEFT_OUT.test(name) && mode !== "skip"));
  const leftOut = all.filter((group) => !tasks.includes(group)).map(({ name }) => name);

  test(`all ${TESTS} tests outside the Fork groups are here`, ({ task }) => {
    const here = testsIn(task.suite!).filter((other) => other !== task);
    console.log(`durable streams: ${here.length} tests in ${tasks.length - 1} of ${all.length} groups; left out: ${leftOut.join(", ")}`);
    expect(here).toHaveLength(TESTS);
    expect(here.filter(({ mode }) => mode !== "run").map(({ name }) => name)).toEqual([]);
  });
});

function testsIn(task: RunnerTask): RunnerTestCase[] {
  return task.type === "suite" ? task.tasks.flatMap(testsIn) : [task];
}
