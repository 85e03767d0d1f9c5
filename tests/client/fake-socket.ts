// A WebSocket whose other side is the test.

/** Takes the place of the global `WebSocket`. */
export class FakeSocket {
  static all: FakeSocket[] = [];
  readonly url: string;
  readonly sent: string[] = [];
  isClosed = false;
  onmessage: ((message: { data: string }) => void) | null = null;

  constructor(url: URL) {
    this.url = url.href;
    FakeSocket.all.push(this);
  }

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.isClosed = true;
  }

  /** Sends to the client. */
  say(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
}
