/**
 * Whom a connection to Redis tells what.
 */
import type { Request } from './request.ts';

/** Who is told what happens on a connection. */
export interface ConnectionOwner {
  opened(): void;
  /** Something came, after a silence. */
  heard(): void;
  /** It does not let us in, in its own words. */
  loginRefused(why: string): void;
  /** Not carried out; true: it is taken care of, false: the client shall see it. */
  refused(request: Request, bytes: Uint8Array, start: number, end: number): boolean;
  /** The connection is gone; `wasSent`: the node may have carried the command out. */
  lost(request: Request, wasSent: boolean): void;
  /** After every request was told to be lost. `connection`: which of the owner's. */
  closed(connection: object, problem: string): void;
}

/** Who looks at replies before they are handed on. */
export interface ReplyWatch {
  /** True: it is taken care of, nobody gets it. */
  sees(request: Request, bytes: Uint8Array, start: number, end: number): boolean;
}
