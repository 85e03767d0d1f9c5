// Made by lib.rs for the platform that it is built for.

/** Whether the server takes WebSockets. */
export const hasWebSocket: boolean;
