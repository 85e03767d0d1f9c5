import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { offers, REQUIREMENTS, type Requirement } from "./harness/platform.ts";

const requirements = Object.keys(REQUIREMENTS) as Requirement[];

const common = {
  tags: requirements.map((name) => ({ name, description: REQUIREMENTS[name], skip: !offers(name) })),
  // Generous: a timeout means that something hung, never that the machine is slow. A test waits for several conditions, each at most 60 s, so that it is
  // the condition that fails and says what was awaited.
  testTimeout: 120_000,
  hookTimeout: 40_000,
  teardownTimeout: 10_000,
  // A page paints a frame after the event that a test has waited for, or later on a busy machine.
  expect: { poll: { timeout: 20_000 } },
};

/** Files of lab/ that measure neither time nor memory nor the processor: they wait, and then count. The public suite waits for a TTL of 2 s, which is too short beside browsers. */
const PATIENT = [
  "conformance/durable-streams.test.ts",
  ...["address", "calls", "expiry", "forgetting", "idle-document", "idle-room", "logs", "sleep", "store", "tenant", "token"].map((name) => `lab/${name}.test.ts`),
];

/** Files of lab/ that wear a server out, and measure nothing: two at a time, so that the longest runs beside the others. */
const STORMY = ["documents", "faults", "hostile", "producers", "push", "redeploy", "restart"].map((name) => `lab/${name}.test.ts`);

/** Of each group below the files that take longest, since each waits for something in turn. Whatever comes last runs alone, so it must be short. */
const LONGEST = [
  ...["browser/tickets", "browser/pages", "browser/chat", "browser/gallery", "browser/screenshots", "client/order", "conformance/exchanges"],
  ...["lab/idle-document", "lab/sleep", "lab/idle-room", "conformance/durable-streams", "lab/tenant", "lab/token"],
  ...["lab/faults", "lab/documents"],
].map((name) => `/${name}.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return found < 0 ? LONGEST.length : found;
    };
    // A stable sort: the others keep their order.
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    globalSetup: ["harness/token.ts", "harness/shared.ts"],
    projects: [
      // Most of their time they wait, for a server or a clock.
      { test: { ...common, name: "together", include: ["{bench,conformance,client,browser}/**/*.test.ts"], exclude: PATIENT, maxWorkers: 4, sequence: { groupOrder: 0 } } },
      { test: { ...common, name: "patient", include: PATIENT, maxWorkers: 4, sequence: { groupOrder: 1 } } },
      { test: { ...common, name: "stormy", include: STORMY, maxWorkers: 2, sequence: { groupOrder: 2 } } },
      // They measure: each has the machine to itself.
      { test: { ...common, name: "alone", include: ["lab/**/*.test.ts"], exclude: [...PATIENT, ...STORMY], fileParallelism: false, sequence: { groupOrder: 3 } } },
    ],
  },
});
