/**
 * What a connection to Redis is made of, and whom it tells what.
 */
import type { Request } from './request.ts';
import type { SocketOptions } from './socket.ts';

export interface ConnectionOptions extends SocketOptions {
  /** Sent first, whole commands. */
  readonly handshake: readonly Buffer[];
  /** Where replies are counted, by how long they took: the buckets and the sum. */
  readonly latency: Float64Array;
  /** The handshake begins with HELLO 3 and ends with a command that asks for pushes; null: it does not. */
  readonly pushes: PushHearer | null;
}

/** Who is told what happens on a connection. */
export interface ConnectionOwner {
  opened(): void;
  /** Something came, after a silence. */
  heard(): void;
  /** It does not let us in, in its own words. */
  loginRefused(why: string): void;
  /** Not carried out; true: it is taken care of, false: the client shall see it. */
  refused(request: Request, bytes: Uint8Array, start: number, end: number): boolean;
  /** What was sent last may wait for ever, and take something with its answer that nobody has then. */
  readonly mayBlock?: boolean;
  /** The connection is gone; `wasSent`: the node may have carried the command out. */
  lost(request: Request, wasSent: boolean): void;
  /** After every request was told to be lost. `connection`: which of the owner's. */
  closed(connection: object, problem: string): void;
}

/** Who is told what a node says without being asked, over a connection on which it remembers what is read. */
export interface PushHearer {
  pushed(bytes: Uint8Array, start: number, end: number): void;
  /** It does not remember it: what was read may change without a word. */
  untracked(why: string): void;
  /** What was read before may have changed without a word. */
  lost(): void;
}

/** Who looks at replies before they are handed on. */
export interface ReplyWatch {
  /** True: it is taken care of, nobody gets it. */
  sees(request: Request, bytes: Uint8Array, start: number, end: number): boolean;
}
