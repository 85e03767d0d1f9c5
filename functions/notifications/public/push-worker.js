// @ts-check
// Shows what is pushed while no page is open. It has no credential: pages subscribe, and mark as read.

const worker = /** @type {any} */ (self);

worker.addEventListener("push", (/** @type {any} */ event) => event.waitUntil(show(event.data)));

worker.addEventListener("notificationclick", (/** @type {any} */ event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data ?? {}));
});

// Some browsers say so; every page compares at each load as well.
worker.addEventListener("pushsubscriptionchange", (/** @type {any} */ event) => event.waitUntil(tell({ isSubscriptionOld: true })));

/** Always shows something: browsers end the subscription of a worker that does not. @param {any} data */
async function show(data) {
  /** @type {any} */
  let message = {};
  try {
    message = data?.json() ?? {};
  } catch {
    // A message of nobody's.
  }
  const { notification = {}, tidewire = {} } = message;
  // The same tag replaces: what is pushed twice is shown once.
  await worker.registration.showNotification(notification.title || "A notification", { body: notification.body ?? "", tag: tidewire.id, data: tidewire });
  const shown = await worker.registration.getNotifications();
  await navigator.setAppBadge?.(shown.length);
}

/** A page that is open goes there itself, and marks the notification as read. @param {{ url?: string, offset?: string }} data */
async function open({ url, offset }) {
  const [page] = await pages();
  if (page) {
    page.postMessage({ clicked: { url, offset } });
    await page.focus();
  } else {
    await worker.clients.openWindow(new URL(url ?? "./", worker.registration.scope));
  }
}

/** @param {object} message */
async function tell(message) {
  for (const page of await pages()) page.postMessage(message);
}

async function pages() {
  const windows = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  return windows.filter((/** @type {{ url: string }} */ { url }) => url.startsWith(worker.registration.scope));
}
