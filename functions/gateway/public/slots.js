// @ts-check
// Who may hold a stream open.
//
// Browsers open six connections to an HTTP/1.1 host, over all its tabs together. With six streams open the page could not even publish.

/** Streams of this page at once. */
export const SLOTS = 3;
const SLOTS_OF_ALL_TABS = 5;

let taken = 0;

/** Takes a slot; answers the function that gives it back, or nothing while none is free. */
export async function takeSlot() {
  if (taken === SLOTS) return undefined;
  taken += 1;
  const unlock = await lockAny();
  if (!unlock) taken -= 1;
  return unlock && (() => {
    taken -= 1;
    unlock();
  });
}

async function lockAny() {
  // Pages without TLS have no locks: there each tab counts for itself.
  if (!navigator.locks) return () => {};
  for (let number = 1; number <= SLOTS_OF_ALL_TABS; number++) {
    const unlock = await lock(`tidewire-stream-${number}`);
    if (unlock) return unlock;
  }
}

/** @returns {Promise<(() => void) | undefined>} */
function lock(name) {
  return new Promise((answer) => {
    navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? new Promise((unlock) => answer(() => unlock(undefined))) : answer(undefined)));
  });
}
