export * from "../../client/src/index.ts";
