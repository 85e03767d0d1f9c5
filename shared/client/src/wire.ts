// The wire, as PROTOCOL.md has it. Generated from shared/core/src/typescript.rs; do not edit.

/**
 * Problem details (RFC 9457). The last part of `type` is the code to match on.
 */
export type Problem = { type: string, title: string, status: number, detail: string, 
/**
 * The offset to resume from, of `offset-gone`.
 */
earliest?: string, };

/**
 * A frame from the server. Ignore other types and other members: later servers may send them.
 */
export type ServerFrame = { "type": "hello", protocol: string, offset: string, contentType: string, encoding?: string, ackBytes?: number, } | { "type": "events", events: Array<FrameEvent>, upToDate?: boolean, } | { "type": "ack", id: string, offset: string, } | { "type": "error", id?: string, code: string, status: number, detail: string, retryAfterMs?: number, expectedSeq?: number, epoch?: number, } | { "type": "gap", requested: string, earliest: string, } | { "type": "presence", snapshot?: boolean, members: Array<PresentMember>, } | { "type": "closed", offset: string, } | { "type": "close", code: number, reason: string, };

/**
 * An event in a frame.
 */
export type FrameEvent = { offset: string, 
/**
 * The JSON value; a string on channels of text, base64 on channels of bytes.
 */
data: unknown, };

/**
 * A member of a channel; `state` is `null` if it left.
 */
export type PresentMember = { id: string, state: Record<string, unknown> | null, };

/**
 * A frame from a client.
 */
export type ClientFrame = { "type": "publish", id: string, data: unknown, producer?: FrameProducer, } | { "type": "ack", offset: string, } | { "type": "presence", id: string, state: Record<string, unknown> | null, };

/**
 * An idempotent producer, as in the `Producer-` headers.
 */
export type FrameProducer = { id: string, epoch: number, seq: number, };
