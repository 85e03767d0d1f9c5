// What the events of a channel hold, and how each wire writes it.

/** Kind of a channel's events. */
export type Content = "json" | "text" | "bytes";

/** The kind that a media type means. */
export function contentOf(mediaType: string | null): Content {
  const essence = (mediaType ?? "").split(";")[0]!.trim().toLowerCase();
  if (essence === "application/json") return "json";
  return essence.startsWith("text/") ? "text" : "bytes";
}

/** The events of a page: those of a JSON array, or what there is of text or bytes as one. */
export async function readPage(answer: Response, content: Content): Promise<unknown[]> {
  if (content === "json") return (await answer.json()) as unknown[];
  const data = content === "text" ? await answer.text() : new Uint8Array(await answer.arrayBuffer());
  return data.length > 0 ? [data] : [];
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
