// shared/core/openapi.json by a validator that we did not write. What it says of answers is compared with the core's in shared/core/tests.

import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, test } from "vitest";

test("the OpenAPI file is valid, and nothing that it refers to is missing", async () => {
  const validator = new Validator();
  const file = readFileSync(new URL("../../shared/core/openapi.json", import.meta.url), "utf8");
  expect(await validator.validate(JSON.parse(file))).toEqual({ valid: true });
  expect(() => validator.resolveRefs()).not.toThrow();
});
