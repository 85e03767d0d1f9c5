// @ts-check
// Who this visitor is to the others.

const any = (list) => list[Math.floor(Math.random() * list.length)];
export const me = {
  id: Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join(""),
  name: `${any(["Brave", "Calm", "Clever", "Happy", "Kind", "Lucky", "Quick", "Sunny"])} ${any(["Badger", "Dolphin", "Fox", "Heron", "Lynx", "Otter", "Puffin", "Seal"])}`,
  color: any(["#0f8b8d", "#6b4fc4", "#a8680c", "#1d6fc9", "#b8447e", "#2f8f46", "#c2452d"]),
  x: 0.2 + 0.6 * Math.random(),
  y: 0.25 + 0.4 * Math.random(),
};
