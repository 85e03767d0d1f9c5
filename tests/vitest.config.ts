import { defineConfig } from "vitest/config";
import { offers, REQUIREMENTS, type Requirement } from "./harness/platform.ts";

const requirements = Object.keys(REQUIREMENTS) as Requirement[];

export default defineConfig({
  test: {
    globalSetup: "harness/token.ts",
    include: ["{conformance,client,browser,lab}/**/*.test.ts"],
    tags: requirements.map((name) => ({ name, description: REQUIREMENTS[name], skip: !offers(name) })),
    // Each file starts a server of its own and several measure what one channel does, so two files would disturb each other.
    fileParallelism: false,
    // Generous: a timeout means that something hung, never that the machine is slow.
    testTimeout: 40_000,
    hookTimeout: 40_000,
    teardownTimeout: 10_000,
  },
});
