// The client of Tidewire channels.

export type { BackoffOptions } from "./backoff.ts";
export { TidewireError, type ErrorContext } from "./error.ts";
export type { ChannelEvent, Gap, Presence, State, Transport } from "./event.ts";
export { publish, publisher, type Publisher, type PublishOptions } from "./publish.ts";
export { request, type AppRequest, type Credential, type RequestOptions } from "./request.ts";
export { subscribe, type SubscribeOptions, type Subscription } from "./subscription.ts";
export { ticketFrom } from "./ticket.ts";
export type { ClientFrame, FrameEvent, Problem, ServerFrame } from "./wire.ts";
