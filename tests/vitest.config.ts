import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{conformance,browser,lab}/**/*.test.ts"],
    // Each file starts a server of its own and several measure what one channel does, so two files would disturb each other.
    fileParallelism: false,
    // Generous: a timeout means that something hung, never that the machine is slow.
    testTimeout: 40_000,
    hookTimeout: 40_000,
    teardownTimeout: 10_000,
  },
});
