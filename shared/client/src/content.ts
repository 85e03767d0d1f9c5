// The content type of a channel's events, and how each wire writes them.

/** Kind of a channel's events. */
export type Content = "json" | "text" | "bytes";

/** The kind of a media type. */
export function contentOf(mediaType: string | null): Content {
  const essence = (mediaType ?? "").split(";")[0]!.trim().toLowerCase();
  if (essence === "application/json") return "json";
  return essence.startsWith("text/") ? "text" : "bytes";
}

/** The events of a page: those of a JSON array, or the whole text or bytes as one event. */
export async function readPage(answer: Response, content: Content): Promise<unknown[]> {
  if (content === "json") return (await answer.json()) as unknown[];
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (bytes.length === 0) return [];
  // Not `text()`, which drops a U+FEFF at the beginning: here it is content.
  return [content === "text" ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) : bytes];
}

/** The `data` of a server-sent event. */
export function parseData(text: string, content: Content): unknown {
  if (content === "json") return JSON.parse(text);
  return content === "text" ? text : fromBase64(text);
}

/** Bytes written as base64. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Returns a copy of bytes in any form, because the application may change them later. `undefined` if the value is not bytes. */
export function bytesOf(data: unknown): Blob | Uint8Array<ArrayBuffer> | undefined {
  if (data instanceof Blob) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice());
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() : undefined;
}

/**
 * The body of a publish whose data is not bytes.
 *
 * @throws TypeError if the media type has no form for it.
 */
export function encode(data: unknown, mediaType: string): string {
  if (contentOf(mediaType) === "json") return JSON.stringify(data, refuse);
  // UTF-8 has no form for an unpaired surrogate: `fetch` would send U+FFFD.
  if (typeof data === "string" && !/\p{Surrogate}/u.test(data)) return data;
  throw new TypeError(`${mediaType} has no form for ${typeOf(data)}`);
}

/** Refuses a value that `JSON.stringify` would write as `{}`, or an event that it would write as `null` or omit; fields may be omitted as usual. */
function refuse(this: unknown, key: string, value: unknown): unknown {
  const type = typeOf(value);
  const isLeftOut = key && !Array.isArray(this) && /Undefined|Function|Symbol/.test(type);
  if (isLeftOut || /^(Array|Boolean|Null|Number|Object|String)$/.test(type)) return value;
  throw new TypeError(`JSON has no form for ${type}`);
}

/** Such as `Map` or `Undefined`. */
function typeOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
