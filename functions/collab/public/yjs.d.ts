// The types of yjs.js, which is bundled from the npm packages.

export {
  Doc,
  UndoManager,
  applyUpdate,
  createAbsolutePositionFromRelativePosition,
  createRelativePositionFromJSON,
  createRelativePositionFromTypeIndex,
  encodeStateAsUpdate,
} from "yjs";
