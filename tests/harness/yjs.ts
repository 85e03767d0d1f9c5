// Documents of npm `yjs` for the vectors of `shared/yjs`: what clients sent, and what they see then. The same ones in every run.

import * as Y from "yjs";
import { between, pick, randomFrom, type Random } from "./random.ts";

/** The messages of clients, in order, and the document that all of them see in the end. */
export interface Document {
  name: string;
  purpose: string;
  /** Base64. */
  updates: string[];
  /** How much of each client they hold: a client of which Yjs keeps something back says less. */
  stateVector: string;
  content: unknown;
}

export const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
export const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, "base64"));

/** A document that applied these updates one by one. */
export function documentOf(updates: Uint8Array[]): Y.Doc {
  const doc = new Y.Doc();
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc;
}

/** How much of each client these updates hold. */
export function stateVectorOf(updates: Uint8Array[]): string {
  return base64(Y.encodeStateVectorFromUpdate(Y.mergeUpdates(updates)));
}

/** All that a user of the document can see, as JSON. */
export function contentOf(doc: Y.Doc): unknown {
  const xml = doc.getXmlFragment("xml");
  const inXml = xml.toArray().map((node) => (node instanceof Y.XmlText ? plain(node.toDelta()) : String(node)));
  return { text: plain(doc.getText("text").toDelta()), list: plain(doc.getArray("list")), map: plain(doc.getMap("map")), xml: inXml };
}

/** JSON, with a name for what JSON has no form for. */
function plain(value: unknown): unknown {
  if (value instanceof Y.Doc) return { subdocument: value.guid };
  if (value instanceof Y.Text) return plain(value.toDelta());
  if (value instanceof Y.Map) return plain(Object.fromEntries([...value.entries()].sort(([one], [other]) => (one < other ? -1 : 1))));
  if (value instanceof Y.Array) return value.toArray().map(plain);
  if (value instanceof Uint8Array) return { bytes: base64(value) };
  if (typeof value === "bigint") return { bigint: String(value) };
  if (value === undefined || Object.is(value, -0)) return { is: value === undefined ? "undefined" : "-0" };
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  return value;
}

/** Clients of one document, each with a copy of its own, that hear of each other when `sync` says so. */
class Session {
  readonly docs: Y.Doc[];
  readonly updates: Uint8Array[] = [];

  constructor(count: number) {
    this.docs = Array.from({ length: count }, (_, index) => {
      const doc = new Y.Doc();
      doc.clientID = [7, 3_000_000_000, 500, 70_000][index]!;
      doc.on("update", (update: Uint8Array, origin: unknown) => {
        if (origin !== "peer") this.updates.push(update);
      });
      return doc;
    });
  }

  sync(to: number, from: number): void {
    const doc = this.docs[to]!;
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(this.docs[from]!, Y.encodeStateVector(doc)), "peer");
  }

  syncAll(): void {
    for (let round = 0; round < 2; round += 1) for (let to = 0; to < this.docs.length; to += 1) this.docs.forEach((_, from) => from === to || this.sync(to, from));
  }
}

const SCENES: Record<string, [purpose: string, play: (session: Session) => Uint8Array[] | void]> = {
  empty: ["nothing was written", () => [Uint8Array.of(0, 0)]],
  typing: [
    "two clients type at one place, letter by letter, and delete",
    (session) => {
      const [one, other] = session.docs.map((doc) => doc.getText("text"));
      for (const letter of "Hello, world") one!.insert(one!.length, letter);
      session.sync(1, 0);
      for (const letter of " and moon") other!.insert(other!.length, letter);
      for (const letter of "!?") one!.insert(one!.length, letter);
      one!.delete(3, 6);
      other!.delete(0, 2);
      session.syncAll();
      one!.insert(2, "a longer text that nobody wants");
      one!.delete(3, 25);
    },
  ],
  characters: [
    "characters of two units, one of them cut by a deletion and one by an insertion",
    (session) => {
      const text = session.docs[0]!.getText("text");
      text.insert(0, "a😀b😀c😀é€ and more of it");
      text.delete(2, 1);
      text.insert(5, "|");
      text.delete(7, 6);
    },
  ],
  formats: [
    "formats and embedded objects, set, changed and taken away at the same time",
    (session) => {
      const [one, other] = session.docs.map((doc) => doc.getText("text"));
      one!.insert(0, "bold and plain", { bold: true });
      one!.format(5, 9, { bold: null });
      one!.insertEmbed(4, { image: "x.png", size: [1, 2] }, { link: "y" });
      session.syncAll();
      one!.format(0, 4, { color: "red" });
      other!.format(2, 6, { bold: null, font: { size: 3 } });
      other!.delete(3, 3);
    },
  ],
  map: [
    "keys that two clients set again and again, and values of every kind",
    (session) => {
      const [one, other] = session.docs.map((doc) => doc.getMap("map"));
      for (let turn = 0; turn < 8; turn += 1) one!.set("counter", turn);
      for (let turn = 0; turn < 6; turn += 1) other!.set(pick(() => turn / 6, ["counter", "x", "y"]), `value ${turn}`);
      session.syncAll();
      one!.set("numbers", [0, -0, 1.5, 2 ** 40, -(2 ** 33), 0.1, 64, -65]);
      one!.set("bigint", 12345678901234567890n - 2n ** 63n);
      one!.set("bytes", Uint8Array.of(0, 255, 128));
      one!.set("nested", { a: [null, undefined, true, { "": "empty key" }] });
      other!.set("nested", "another at the same time");
      other!.delete("x");
      session.syncAll();
      one!.set("bytes", null);
    },
  ],
  types: [
    "types in types, some of them deleted while another client writes into them",
    (session) => {
      const [one, other] = session.docs;
      const inner = new Y.Map();
      one!.getMap("map").set("inner", inner);
      inner.set("text", new Y.Text("inner text"));
      inner.set("list", Y.Array.from([1, 2, 3]));
      one!.getArray("list").push([new Y.Text("in a list"), 1, new Y.Map([["k", "v"]])]);
      session.syncAll();
      ((other!.getMap("map").get("inner") as Y.Map<Y.Text>).get("text") as Y.Text).insert(5, " and more");
      one!.getMap("map").delete("inner");
      (other!.getArray("list").get(0) as Y.Text).delete(0, 3);
      one!.getArray("list").delete(2, 1);
      session.syncAll();
    },
  ],
  list: [
    "a list that is pushed to, cut and filled in the middle",
    (session) => {
      const [one, other] = session.docs.map((doc) => doc.getArray("list"));
      for (let turn = 0; turn < 5; turn += 1) one!.push([turn]);
      one!.push(["a", "b", { c: 1 }, Uint8Array.of(1), "d"]);
      session.syncAll();
      one!.delete(1, 3);
      other!.delete(2, 6);
      other!.insert(2, ["in", "the", "middle"]);
      one!.unshift([[]]);
    },
  ],
  xml: [
    "elements with attributes and text, moved and deleted",
    (session) => {
      const [one, other] = session.docs.map((doc) => doc.getXmlFragment("xml"));
      const paragraph = new Y.XmlElement("p");
      one!.insert(0, [paragraph, new Y.XmlText("loose")]);
      paragraph.setAttribute("class", "first");
      paragraph.insert(0, [new Y.XmlText("text in it"), new Y.XmlElement("br")]);
      session.syncAll();
      (other!.get(0) as Y.XmlElement).setAttribute("class", "second");
      (other!.get(0) as Y.XmlElement).delete(1, 1);
      (other!.get(1) as Y.XmlText).format(0, 5, { b: {} });
      one!.insert(1, [new Y.XmlHook("hook") as unknown as Y.XmlElement, new Y.XmlElement("hr")]);
      session.syncAll();
      one!.delete(0, 1);
    },
  ],
  subdocuments: [
    "documents in a map and in a list",
    (session) => {
      const [one, other] = session.docs;
      one!.getMap("map").set("a", new Y.Doc({ guid: "first", autoLoad: true, meta: { title: "A" } }));
      one!.getArray("list").push([new Y.Doc({ guid: "second", gc: false }), 1]);
      session.syncAll();
      other!.getMap("map").set("a", new Y.Doc({ guid: "third" }));
      one!.getArray("list").delete(0, 1);
    },
  ],
  undo: [
    "changes that are undone and done again",
    (session) => {
      const doc = session.docs[0]!;
      const [text, map] = [doc.getText("text"), doc.getMap("map")];
      const manager = new Y.UndoManager([text, map], { captureTimeout: 0 });
      text.insert(0, "first ");
      text.insert(6, "second ");
      map.set("k", 1);
      map.set("k", 2);
      text.delete(0, 8);
      for (let turn = 0; turn < 3; turn += 1) manager.undo();
      session.sync(1, 0);
      session.docs[1]!.getText("text").insert(3, "other");
      for (let turn = 0; turn < 2; turn += 1) manager.redo();
      manager.destroy();
    },
  ],
  states: [
    "whole documents in the place of updates, with garbage that was collected, overlapping",
    (session) => {
      const [one, other] = session.docs;
      const states: Uint8Array[] = [];
      const keep = () => states.push(...session.docs.map((doc) => Y.encodeStateAsUpdate(doc)));
      one!.getText("text").insert(0, "written before");
      one!.getMap("map").set("inner", Y.Array.from(["gone", "soon"]));
      session.syncAll();
      keep();
      one!.getText("text").delete(2, 9);
      one!.getMap("map").set("inner", 1);
      other!.getText("text").insert(7, "while");
      keep();
      session.syncAll();
      one!.getText("text").insert(0, "after ");
      keep();
      // The letters as well, after the states that hold them.
      return [...states, ...session.updates];
    },
  ],
  gap: [
    "an update that has not come, and updates that Yjs itself merged around it",
    (session) => {
      const [one, other] = session.docs;
      for (const word of ["one ", "two ", "three ", "four "]) one!.getText("text").insert(one!.getText("text").length, word);
      session.sync(1, 0);
      other!.getText("text").insert(4, "by another ");
      const [first, , third, fourth, last] = session.updates;
      return [Y.mergeUpdates([first!, third!]), last!, Y.mergeUpdates([third!, fourth!])];
    },
  ],
  random: [
    "four clients do anything, and hear of each other now and then",
    (session) => {
      const random = randomFrom(14);
      for (let turn = 0; turn < 160; turn += 1) {
        const client = between(random, 0, 3);
        if (random() < 0.3) session.sync(client, (client + between(random, 1, 3)) % 4);
        turnOf(session.docs[client]!, random);
      }
    },
  ],
};

/** Anything, anywhere. */
export function turnOf(doc: Y.Doc, random: Random, words = ["a", "word ", "😀", "é"]): void {
  const [text, list, map, xml] = [doc.getText("text"), doc.getArray("list"), doc.getMap("map"), doc.getXmlFragment("xml")];
  const within = (length: number) => between(random, 0, length);
  const some = (start: number, length: number) => Math.min(length - start, between(random, 1, 6));
  const place = within(text.length);
  pick(random, [
    () => text.insert(place, pick(random, words)),
    () => text.insert(text.length, "z"),
    () => text.delete(place, some(place, text.length)),
    () => text.format(place, some(place, text.length), { bold: pick(random, [true, null]) }),
    () => list.insert(within(list.length), [within(9), { at: within(9) }]),
    () => list.length > 0 && list.delete(list.length - 1, 1),
    () => map.set(pick(random, ["a", "b"]), pick<() => unknown>(random, [() => within(9), () => new Y.Text("t"), () => new Y.Map([["k", 1]])])()),
    () => map.delete("a"),
    () => {
      const inner = map.get("a");
      if (inner instanceof Y.Text) inner.insert(0, "more");
    },
    () => xml.insert(within(xml.length), [new Y.XmlElement("p")]),
    () => xml.length > 0 && xml.delete(within(xml.length - 1), 1),
  ])();
}

export const DOCUMENTS: Document[] = Object.entries(SCENES).map(([name, [purpose, play]]) => {
  const session = new Session(name === "random" ? 4 : 2);
  const updates = play(session) ?? session.updates;
  return { name, purpose, updates: updates.map(base64), stateVector: stateVectorOf(updates), content: contentOf(documentOf(updates)) };
});
