/**
 * A command on its way: one object from a pool, from the moment it is understood until its reply has left.
 *
 * Several connections may hold the same request (a hedged read): each notes the generation it was given, and what
 * belongs to an older one is nobody's any more.
 */
import type { Block } from './block.ts';
import type { ReplySink } from './reply-sink.ts';

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

export class Request {
  generation = 0;
  sink: ReplySink | null = null;
  terms = NO_TERMS;
  isRead = false;
  /** Which of a node's connections serve it; node.ts has the bits. */
  connectionKind = 0;
  /** The slot, or which server of a sharded upstream. */
  place = 0;
  startedAt = 0;
  /** Redirections followed so far. */
  hops = 0;
  /** Connections on which it waits for a reply. */
  sent = 0;
  /** Its bytes, in the block of the connection that had it last. */
  block: Block | null = null;
  start = 0;
  end = 0;
  /** Its reply, where that came before its turn. */
  isDone = false;
  reply: Block | null = null;
  replyStart = 0;
  replyEnd = 0;
  /** Of a split command: the next part. */
  next: Request | null = null;
}

const pool: Request[] = [];
const POOLED = 65_536;

export function takeRequest(): Request {
  return pool.pop() ?? new Request();
}

export function giveRequest(request: Request): void {
  request.generation += 1;
  request.sink = null;
  request.block = null;
  request.reply = null;
  request.next = null;
  request.isDone = false;
  request.hops = 0;
  request.sent = 0;
  if (pool.length < POOLED) pool.push(request);
}
