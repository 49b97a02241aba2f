/**
 * The other end of one connection: a node that has what came over it, and answers when it is told to.
 */
import type { InMemorySocket } from './in-memory-socket.ts';
import type { Command, Effect } from './command.ts';

/** One sending of a command, or of a part of it. */
export interface Attempt {
  /** undefined: ASKING. */
  readonly command: Command | undefined;
  readonly text: string;
  readonly words: readonly string[];
  readonly effect: Effect;
  /**
   * What was behind it where it was redirected: once that node carries out one of these it has the key again, and nobody else
   * can carry this one out.
   */
  readonly behind: readonly Attempt[];
  isCarriedOut: boolean;
}

export interface Reply {
  readonly text: string;
  readonly to: Attempt;
}

export class StandIn {
  readonly node: number;
  readonly socket: InMemorySocket;
  /** What is sent over it and not taken, the oldest first. */
  readonly sent: Attempt[] = [];
  /** What it has said and nobody has heard. */
  readonly said: Reply[] = [];

  constructor(node: number, socket: InMemorySocket) {
    this.node = node;
    this.socket = socket;
  }

  /** The oldest that has come; undefined: none has. */
  take(): Attempt | undefined {
    const [oldest] = this.sent;
    const { written } = this.socket;
    if (oldest === undefined || written === '') return undefined;
    if (!written.startsWith(oldest.text)) throw new Error(`sent is ${oldest.text}, written ${written}`);
    this.socket.written = written.slice(oldest.text.length);
    return this.sent.shift();
  }

  /** Something has come that it has not taken. */
  get isAsked(): boolean {
    return this.socket.written !== '';
  }
}
