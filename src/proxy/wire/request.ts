/**
 * A command on its way: one object, from the moment it is understood until its reply has left; then it is used again.
 *
 * Several connections may hold the same request (a hedged read): each notes the generation it was given, and what
 * belongs to an older one is nobody's any more.
 */
import type { Block } from './block.ts';

/** What of a listener goes with each of its commands. */
export interface Terms {
  /** 0 to 4: MASTER, PREFER_MASTER, REPLICA, PREFER_REPLICA, ANY; more: the same with a zone (shard.ts). */
  readonly policy: number;
  readonly followRedirections: boolean;
  readonly opTimeoutMs: number;
  /** On plain servers. */
  readonly hashTags: boolean;
}

const NO_TERMS: Terms = { policy: 0, followRedirections: false, opTimeoutMs: 0, hashTags: false };

/** Who waits for a request's reply: a session, a split command, or nobody (a mirror). */
export interface ReplySink {
  /** HOST:PORT of whose command it is, where that is known. */
  readonly client?: string;
  /** Whose command it is, where that is somebody else. */
  readonly asker?: ReplySink;
  /** Nobody waits any more, as far as can be seen: what was not sent yet need not be. */
  readonly isGone?: boolean;
  /** So many bytes of its are kept: of commands until a node can be asked, of replies until a fault's delay is over. */
  kept?(bytes: number): void;
  /** Told of an error reply before it is delivered. */
  erred?(request: Request, bytes: Uint8Array, start: number, end: number): void;
  /** Takes the request's reply, `bytes[start, end)`; what must stay has to be copied. The request is the sink's again. */
  deliver(request: Request, bytes: Uint8Array, start: number, end: number): void;
}

/** What every command needs stands first: the fewer cache lines, the cheaper. */
export class Request {
  generation = 0;
  sink: ReplySink | null = null;
  /** Connections on which it waits for a reply. */
  sent = 0;
  /** Its reply has come before its turn; block, start and end are the reply's. */
  isDone = false;
  /** The last of what its client asked together. */
  endsBatch = false;
  terms = NO_TERMS;
  /** Of its command: what it counts as, and whether it reads. */
  label = 0;
  /** Which of a node's connections serve it; node.ts has the bits. */
  connectionKind = 0;
  /** The slot, or which server of a sharded upstream. */
  place = 0;
  startedAt = 0;
  /** Its bytes, in the block of the connection that had it last. */
  block: Block | null = null;
  start = 0;
  end = 0;
  /** Redirections followed so far. */
  hops = 0;
  /** As which generation it was hedged: once is enough while it waits. */
  hedgedAs = -1;
  /** Of a split command: the next part. */
  next: Request | null = null;

  get isRead(): boolean {
    return (this.label & 1) === 1;
  }
}

const pool: Request[] = [];
const POOLED = 65_536;

export function takeRequest(): Request {
  return pool.pop() ?? new Request();
}

/** Small integers, and what a connection's list of them holds: a request of a busy client passes 2^32 within days. */
const GENERATIONS = 0x3fff_ffff;

export function nextGeneration(generation: number): number {
  return (generation + 1) & GENERATIONS;
}

export function giveRequest(request: Request): void {
  finishRequest(request);
  request.sink = null;
  request.next = null;
  if (pool.length < POOLED) pool.push(request);
}

/** Over, and ready to be another command; whoever still holds it holds an older generation. */
export function finishRequest(request: Request): void {
  request.generation = nextGeneration(request.generation);
  request.block = null;
  request.isDone = false;
  request.endsBatch = false;
  request.hops = 0;
  request.sent = 0;
}
