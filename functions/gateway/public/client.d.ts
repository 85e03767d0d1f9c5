export * from "../../../shared/client/src/index.ts";
