/**
 * Commands that concern every node of the catch-all's upstream: sent to all primaries, their replies put together as
 * Redis' own command tips have it.
 */
import { KIND, type Command } from '../../redis/command-table.ts';
import { type RequestFrame, wordAt } from '../../redis/request-frame.ts';
import { toAllPrimaries, type SendToAll } from './all-primaries.ts';
import {
  MergedReply,
  allTrue,
  concatenate,
  same,
  sum,
  sums,
  union,
  type Gathered,
  type Merge,
} from '../wire/merged-reply.ts';
import { copyWithoutKey, type ForAll } from './keyless-copies.ts';
import { ADMINISTRATION, encodeRefusal } from './refused-commands.ts';
import { KILLING, TELLING, askScripts, type ToScripts } from './scripts-at-work.ts';
import type { Session } from '../client/session.ts';
import type { Node } from '../topology/node.ts';
import type { Upstream } from '../upstream/upstream.ts';

interface Plan extends Gathered, ForAll {
  /** About what is running, which holds up the connections that all share. */
  readonly toScripts?: ToScripts;
  /** Servers of all routes are told: it is asked for with their keys. */
  readonly otherRoutesToo?: boolean;
  /** Not carried out: it would turn a connection that others share into something else. */
  readonly isRefused?: boolean;
}

/** The first that is not null. */
const any: Merge = (replies) =>
  replies.find((reply) => !/^(\$-1|_)\r\n/.test(reply.toString('latin1', 0, 5))) ?? same(replies);

/** What is not listed concerns one node only, any. */
const PLANS: ReadonlyMap<string, Plan> = new Map<string, Plan>([
  ['dbsize', { merge: sum, isCopied: true }],
  ['keys', { merge: concatenate, isCopied: true }],
  ['flushall', { merge: same, isCopied: true }],
  ['flushdb', { merge: same, isCopied: true }],
  ['randomkey', { merge: any, isCopied: true }],
  ['script|load', { merge: same, replicasToo: true, otherRoutesToo: true, isCopied: true }],
  ['script|flush', { merge: same, replicasToo: true, isCopied: true }],
  ['script|exists', { merge: allTrue }],
  ['script|debug', { merge: same, isRefused: true }],
  ['script|kill', { merge: same, toScripts: KILLING }],
  ['function|load', { merge: same, otherRoutesToo: true, isCopied: true }],
  ['function|delete', { merge: same, otherRoutesToo: true, isCopied: true }],
  ['function|flush', { merge: same, isCopied: true }],
  ['function|restore', { merge: same, otherRoutesToo: true, isCopied: true }],
  ['function|kill', { merge: same, toScripts: KILLING }],
  ['function|stats', { merge: same, toScripts: TELLING }],
  ['config|set', { merge: same, replicasToo: true }],
  ['config|resetstat', { merge: same, replicasToo: true }],
  // Who subscribes does so at any of them.
  ['pubsub|channels', { merge: union }],
  ['pubsub|shardchannels', { merge: union }],
  ['pubsub|numsub', { merge: sums }],
  ['pubsub|shardnumsub', { merge: sums }],
  ['pubsub|numpat', { merge: sum }],
  ['slowlog|get', { merge: concatenate }],
  ['slowlog|len', { merge: sum }],
  ['slowlog|reset', { merge: same, replicasToo: true }],
]);

/** No subcommand is longer; a string of an argument may be as long as strings can be, and no byte longer. */
const LONGEST_SUBCOMMAND = 64;

/** undefined: it concerns one node only. */
export function planEverywhere(bytes: Buffer, frame: RequestFrame, command: Command): Plan | undefined {
  if (command.kind !== KIND.everywhere) return undefined;
  const [, , start = 0, end = 0] = frame.count > 1 ? frame.offsets : [];
  if (end - start > LONGEST_SUBCOMMAND) return PLANS.get(command.name);
  const subcommand = bytes.toString('latin1', start, end).toLowerCase();
  return PLANS.get(command.name) ?? PLANS.get(`${command.name}|${subcommand}`);
}

export function sendEverywhere(
  session: Session,
  bytes: Buffer,
  frame: RequestFrame,
  command: Command,
  plan: Plan,
): void {
  if (plan.isRefused === true) {
    const name = wordAt(bytes, frame)(1).toLowerCase();
    return session.answer(command, encodeRefusal(`${command.name}|${name}`, ADMINISTRATION));
  }
  const upstreamNow = (): Upstream | undefined => {
    const { catchAll, upstreams } = session.home.routing;
    return catchAll?.upstream ?? (plan.otherRoutesToo === true ? upstreams[0] : undefined);
  };
  const send: SendToAll = (primaries, kept, again) => {
    const { toScripts } = plan;
    if (toScripts !== undefined) return askScripts(session, command, toScripts, primaries, kept, again);
    const { upstream, places } = primaries;
    // Each its turn, so that RANDOMKEY is not always of the first.
    const first = Math.floor(Math.random() * places.length);
    const ordered =
      command.name === 'randomkey' ? [...places.slice(first), ...places.slice(0, first)] : places;
    const merged = new MergedReply(session.newRequest(command), plan, ordered.length);
    for (const [index, place] of ordered.entries()) {
      const part = session.newPart(command);
      part.terms = session.home.routing.primaryTerms;
      part.sink = merged.sinkFor(index);
      part.place = place;
      session.heed(upstream.send(part, kept, again.start, again.at));
    }
    // Nobody waits for their replies, and what one refuses must not be sent elsewhere.
    for (const node of othersToTell(session, upstream, plan))
      node.connection(session.connectionKind()).append(null, kept, again.start, again.at);
    copyWithoutKey(session, { command, plan, bytes: kept, from: again.start, to: again.at });
  };
  toAllPrimaries(session, bytes, frame, command, send, upstreamNow);
}

function othersToTell({ home }: Session, upstream: Upstream, plan: Plan): ReadonlySet<Node> {
  const { catchAll, upstreams, ways } = home.routing;
  const isForReplicas = plan.replicasToo === true;
  const all = isForReplicas ? ways : upstreams;
  const others = plan.otherRoutesToo === true ? all.filter((way) => way !== upstream) : [];
  const primaries = others.flatMap((way) => way.primaryPlaces().map((place) => way.primaryFor(place)));
  const withReplicas = isForReplicas ? [upstream, catchAll?.reads ?? upstream, ...others] : [];
  const replicas = withReplicas.flatMap((way) => way.usableReplicas());
  return new Set([...primaries, ...replicas].filter((node) => node !== null));
}
