// The data that may be published: bytes as they are, values with a form in JSON, text. The client refuses all other data before it sends anything.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { publish, publisher } from "../../shared/client/src/index.ts";

const CHANNEL = "http://channel.test/x";
const sent: { contentType: string; body: Uint8Array }[] = [];

beforeEach(() => {
  sent.length = 0;
  vi.stubGlobal("fetch", async (_: URL, { headers, body }: { headers: Record<string, string>; body: BodyInit }) => {
    sent.push({ contentType: headers["content-type"]!, body: new Uint8Array(await new Response(body).arrayBuffer()) });
    return new Response(null, { status: 204, headers: { "stream-next-offset": "7" } });
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const shared = new Uint8Array(new SharedArrayBuffer(3));
shared.set([1, 2, 3]);

test.each<[string, unknown]>([
  ["an ArrayBuffer", Uint8Array.of(1, 2, 3).buffer],
  ["a Uint8Array", Uint8Array.of(1, 2, 3)],
  ["a part of a larger one", Uint8Array.of(9, 1, 2, 3, 9).subarray(1, 4)],
  ["a Buffer", Buffer.from([1, 2, 3])],
  ["an Int8Array", Int8Array.of(1, 2, 3)],
  ["a Uint8ClampedArray", Uint8ClampedArray.of(1, 2, 3)],
  ["a DataView", new DataView(Uint8Array.of(9, 1, 2, 3).buffer, 1)],
  ["shared memory", shared],
  ["a Blob", new Blob([Uint8Array.of(1, 2, 3)])],
  ["a File", new File([Uint8Array.of(1, 2, 3)], "a.bin", { type: "text/html" })],
])("%s is sent as its bytes", async (_, data) => {
  await publish(CHANNEL, data);
  await publish(CHANNEL, data, { contentType: "text/plain" });
  await publish(CHANNEL, data, { contentType: "application/json" });
  const body = Uint8Array.of(1, 2, 3);
  expect(sent).toEqual(["application/octet-stream", "text/plain", "application/json"].map((contentType) => ({ contentType, body })));
});

test("wider numbers are sent as the bytes that hold them", async () => {
  await publish(CHANNEL, Uint16Array.of(1, 2));
  await publish(CHANNEL, new Float64Array(1));
  expect(sent.map(({ body }) => body.length)).toEqual([4, 8]);
});

test("data that changes after the call is sent as it was", async () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const sample = { value: 1 };
  const send = publisher(CHANNEL);
  const all = [send(bytes), send(bytes.buffer), send(sample)];
  bytes.fill(0);
  sample.value = 0;
  await Promise.all(all);
  expect(sent.map(({ body }) => [...body])).toEqual([[1, 2, 3], [1, 2, 3], [...Buffer.from('{"value":1}')]]);
});

test.each<[unknown, string]>([
  [undefined, "Undefined"],
  [() => 1, "Function"],
  [async () => 1, "AsyncFunction"],
  [Symbol("x"), "Symbol"],
  [1n, "BigInt"],
  [new Map([[1, 2]]), "Map"],
  [new Set([1]), "Set"],
  [new WeakMap(), "WeakMap"],
  [Promise.resolve(1), "Promise"],
  [/x/, "RegExp"],
  [new Error("x"), "Error"],
  [new Headers({ a: "b" }), "Headers"],
  [new FormData(), "FormData"],
  [new SharedArrayBuffer(3), "SharedArrayBuffer"],
])("%s has no form in JSON: it is refused, alone, as an event of a batch and inside of one", async (value, type) => {
  const isField = /Undefined|Function|Symbol/.test(type);
  for (const data of [value, [1, value], [[value]], ...(isField ? [] : [{ a: { b: value } }])]) {
    const error = await publish(CHANNEL, data).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe(`JSON has no form for ${type}`);
  }
  expect(sent).toEqual([]);
});

test.each<[string, unknown]>([
  ["ArrayBuffer", new ArrayBuffer(3)],
  ["Uint8Array", Uint8Array.of(1)],
  ["DataView", new DataView(new ArrayBuffer(1))],
  ["Blob", new Blob(["x"])],
])("bytes inside of JSON are refused: %s", async (type, bytes) => {
  await expect(publish(CHANNEL, { picture: bytes })).rejects.toThrow(`JSON has no form for ${type}`);
  await expect(publish(CHANNEL, [bytes])).rejects.toThrow(`JSON has no form for ${type}`);
  expect(sent).toEqual([]);
});

test("all else is JSON as JSON.stringify writes it", async () => {
  class Sample {
    at = 1;
    #hidden = 2;
    get hidden() {
      return this.#hidden;
    }
  }
  const values: unknown[] = [
    null,
    "x",
    0,
    false,
    {},
    Object.create(null),
    new Date(0),
    new Sample(),
    new URL("http://a.test/"),
    Object(1),
    Object("x"),
    { left: undefined, out: () => 1 },
    { toJSON: () => "y" },
    [NaN],
    "\ud800",
  ];
  for (const value of values) await publish(CHANNEL, value);
  expect(sent.map(({ body }) => Buffer.from(body).toString())).toEqual(values.map((value) => JSON.stringify(value)));
  expect(new Set(sent.map(({ contentType }) => contentType))).toEqual(new Set(["application/json"]));
});

test("text is sent as it is, and data that is not text is refused where text is required", async () => {
  const options = { contentType: "text/plain; charset=utf-8" };
  await publish(CHANNEL, "\ufeffzwölf \u{1f30a}", options);
  expect(Buffer.from(sent[0]!.body).toString("hex")).toBe(Buffer.from("\ufeffzwölf \u{1f30a}").toString("hex"));
  for (const [data, type] of [[12, "Number"], [{ a: 1 }, "Object"], [["a"], "Array"], [null, "Null"], [undefined, "Undefined"], [new URLSearchParams(), "URLSearchParams"]] as const) {
    await expect(publish(CHANNEL, data, options)).rejects.toThrow(`${options.contentType} has no form for ${type}`);
  }
  await expect(publish(CHANNEL, "half a pair: \ud83c", options), "`fetch` would send U+FFFD").rejects.toThrow(TypeError);
  expect(sent).toHaveLength(1);
});

test("a refused publish does not change the order of the others", async () => {
  const send = publisher(CHANNEL);
  const ends = await Promise.allSettled([send(1), send(new Map()), send(2)]);
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(sent.map(({ body }) => Buffer.from(body).toString())).toEqual(["1", "2"]);
});
