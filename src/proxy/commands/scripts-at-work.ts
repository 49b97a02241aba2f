/**
 * SCRIPT KILL, FUNCTION KILL and FUNCTION STATS: asked of nodes that may be at a script of the catch-all's route, since Redis
 * ends, and tells of, only what it runs itself.
 *
 * Of KILL the first that has ended one answers; those that run none say NOTBUSY. Before that nobody is passed by who says
 * nothing: so does a node at a script until Redis' `busy-reply-threshold` (5 s) is over, which ends it then.
 */
import { handOn } from '../wire/reply-sink.ts';
import type { Command } from '../../redis/command-table.ts';
import type { RequestFrame } from '../../redis/request-frame.ts';
import type { Node } from '../topology/node.ts';
import { leaveAfterReply, openOwn, whyNotOpened } from '../upstream/own-connection.ts';
import { MergedReply, same, type Gathered, type Merge } from '../wire/merged-reply.ts';
import type { Request } from '../wire/request.ts';
import type { Session } from '../client/session.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Primaries } from './all-primaries.ts';

const IDLE = /^[^$]+\$14\r\nrunning_script\r\n(?:\$-1|_)\r\n/;

/** Of the first that is at a script. */
const atWork: Merge = (replies) =>
  replies.find((reply) => !IDLE.test(reply.toString('latin1', 0, 64))) ?? same(replies);

/** `replicasToo`: what is not carried out by primaries alone. */
export interface ToScripts extends Gathered {
  readonly replicasToo: boolean;
}

export const KILLING: ToScripts = {
  merge: same,
  oneIsEnough: true,
  saysLeast: '-NOTBUSY',
  replicasToo: true,
};
export const TELLING: ToScripts = { merge: atWork, replicasToo: false };

interface Asked {
  readonly upstream: Upstream;
  readonly place: number;
  /** null: nobody now. */
  readonly find: () => Node | null;
}

export function askScripts(
  session: Session,
  command: Command,
  how: ToScripts,
  primaries: Primaries,
  bytes: Buffer,
  frame: RequestFrame,
): void {
  const question = Buffer.from(bytes.subarray(frame.start, frame.at));
  const asked = [...holders(primaries), ...(how.replicasToo ? others(session, primaries) : [])];
  const merged = new MergedReply(session.newRequest(command), how, asked.length);
  for (const [index, each] of asked.entries()) {
    const part = session.newPart(command);
    part.terms = session.home.routing.primaryTerms;
    part.sink = merged.sinkFor(index);
    part.place = each.place;
    ask(session, each, part, question);
  }
}

/** Whoever is primary by then, also one that is silent: where there is something to end, nothing else is answered. */
function holders({ upstream, places }: Primaries): readonly Asked[] {
  return places.map((place) => ({ upstream, place, find: () => alive(upstream.holderOf(place)) }));
}

/** Replicas, and servers for reads; one that is dead runs nothing. Each server once, though it may be among both. */
function others(session: Session, { upstream, places }: Primaries): readonly Asked[] {
  const known = new Set(places.map((place) => upstream.holderOf(place)?.address));
  const reads = session.home.routing.catchAll?.reads ?? upstream;
  const asked: Asked[] = [];
  for (const each of new Set([upstream, reads])) {
    for (const node of each.nodesThatLive()) {
      if (known.has(node.address)) continue;
      known.add(node.address);
      asked.push({ upstream: each, place: 0, find: () => alive(node) });
    }
  }
  return asked;
}

function alive(node: Node | undefined): Node | null {
  return node === undefined || node.isDead ? null : node;
}

/** On a connection of its own: what it is about holds up the one that all share. */
function ask(session: Session, { upstream, find }: Asked, part: Request, question: Buffer): void {
  openOwn(upstream, part, find, (own) => {
    if (own === undefined) return handOn(part.sink!, part, whyNotOpened(upstream, part.place));
    leaveAfterReply(session, part, own);
    own.send(part, question);
  });
}
