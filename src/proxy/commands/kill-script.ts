/**
 * SCRIPT KILL and FUNCTION KILL: asked of every node that may be at a script of the catch-all's route, since Redis ends only
 * what it runs itself. Those that run none say NOTBUSY.
 *
 * The first that has ended one answers. Before that nobody is passed by who says nothing: so does a node at a script until
 * Redis' `busy-reply-threshold` (5 s) is over, which ends it then.
 */
import { handOn } from '../wire/reply-sink.ts';
import type { Command } from '../../redis/command-table.ts';
import type { RequestFrame } from '../../redis/request-frame.ts';
import type { Node } from '../topology/node.ts';
import { leaveAfterReply, openOwn, whyNotOpened, type OwnConnection } from '../upstream/own-connection.ts';
import { MergedReply, same } from '../wire/merged-reply.ts';
import type { Request } from '../wire/request.ts';
import type { Session } from '../client/session.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Primaries } from './all-primaries.ts';

const KILLING = { merge: same, oneIsEnough: true, saysLeast: '-NOTBUSY' };

interface Asked {
  readonly upstream: Upstream;
  readonly place: number;
  /** null: nobody now. */
  readonly find: () => Node | null;
}

export function killScripts(
  session: Session,
  command: Command,
  primaries: Primaries,
  bytes: Buffer,
  frame: RequestFrame,
): void {
  const kill = Buffer.from(bytes.subarray(frame.start, frame.at));
  const asked = [...holders(primaries), ...others(session, primaries)];
  const merged = new MergedReply(session.newRequest(command), KILLING, asked.length);
  for (const [index, each] of asked.entries()) {
    const part = session.newPart(command);
    part.terms = session.home.routing.primaryTerms;
    part.sink = merged.sinkFor(index);
    part.place = each.place;
    ask(session, each, part, kill);
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

/** On a connection of its own: what it is to end holds up the one that all share. */
function ask(session: Session, { upstream, find }: Asked, part: Request, kill: Buffer): void {
  const opened = (own: OwnConnection | undefined): void => {
    if (own === undefined) return handOn(part.sink!, part, whyNotOpened(upstream, part.place));
    leaveAfterReply(session, part, own);
    own.send(part, kill);
  };
  openOwn(upstream, part, opened, find);
}
