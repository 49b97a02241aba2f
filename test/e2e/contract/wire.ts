/** A connection that sends commands as bytes and gives the replies as bytes. */
import { connect, type Socket } from 'node:net';

import { eventually } from '../../../src/demo/eventually.ts';
import { ReplyScanner } from '../../../src/redis/reply-scanner.ts';

export function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

export class Wire {
  readonly #socket: Socket;
  readonly #scanner = new ReplyScanner();
  #buffered: Buffer = Buffer.alloc(0);
  #replies: string[] = [];
  #isClosed = false;

  private constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#isClosed = true;
    });
  }

  static async open(host: string, port: number, protocol: 2 | 3): Promise<Wire> {
    const wire = new Wire(host, port);
    if (protocol === 3) await wire.ask([encode(['HELLO', '3'])]);
    return wire;
  }

  /** One reply for each command; fewer where the connection was closed before. */
  async ask(commands: readonly string[]): Promise<readonly string[]> {
    this.#socket.write(commands.join(''), 'latin1');
    await eventually(
      `${commands.length} replies`,
      () => (this.#replies.length >= commands.length || this.#isClosed ? true : undefined),
      {
        everyMs: 1,
        deadlineMs: 60_000,
        seen: () => `${this.#replies.length} replies; asked next: ${commands[this.#replies.length]}`,
      },
    );
    return this.#replies.splice(0, commands.length);
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
    let at = 0;
    for (;;) {
      const end = this.#scanner.scan(this.#buffered, at, this.#buffered.length);
      if (end <= 0) break;
      this.#replies.push(this.#buffered.toString('latin1', at, end));
      at = end;
    }
    this.#buffered = this.#buffered.subarray(at);
  }
}
