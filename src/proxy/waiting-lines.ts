/**
 * Commands that wait until a node can be asked. Redis carries out the commands of one connection in the order sent; so
 * those of one client for one slot or server wait in line, and what comes later joins it. Of reads that replicas may
 * answer nobody can expect that: each waits for itself.
 */
import type { Connection } from './connection.ts';
import type { Node } from './node.ts';
import { argumentsThatAreKeys } from './argument-keys.ts';
import type { ReplySink, Request } from './request.ts';
import { MASTER } from './shard.ts';

/** Of more commands under way it is taken for granted that some are of the same client. */
const LOOKED_THROUGH = 1_024;

/** 'all': which it concerns is not known. */
type Keys = readonly string[] | 'all';

/** Why a command is held that was under way already. */
export interface Setback {
  /** Redis' last word on it. */
  readonly reply?: Buffer;
  readonly delayMs?: number;
  /** Those that are not refused like it wait for it. */
  readonly goesAlone?: boolean;
  /** Who refused it. */
  readonly node?: Node;
}

interface Behind {
  readonly connection: Connection;
  readonly upTo: number;
  /** What was refused. */
  readonly keys: Keys;
}

interface Held {
  readonly request: Request;
  readonly generation: number;
  readonly until: number;
  readonly notBefore: number;
  /** Redis' last word on it. */
  readonly reply: Buffer | undefined;
  /** It came to a connection before: it is older than what has not. */
  readonly wasUnderWay: boolean;
  /** It may be refused again where those behind it are not: they wait for its reply. */
  readonly goesAlone: boolean;
  /** Where it was refused, and how far the replies must have come before it is known what became of those behind it. */
  readonly behind: Behind | undefined;
  /** Of those behind it one that concerns a key of its was carried out. */
  isOvertaken: boolean;
}

/** A request of one moment: with another generation it is another one, and this one over. */
interface UnderWay {
  readonly request: Request;
  readonly generation: number;
  /** Older than all that waits. */
  readonly goesFirst: boolean;
}

interface Line {
  held: Held[];
  /** All in `held` wait for these. */
  underWay: UnderWay[];
}

export interface Carrier {
  /** False: nobody can be asked now. `isFirst`: no node had it before. */
  send(request: Request, isFirst: boolean): boolean;
  /** It is not tried any more. */
  giveUp(held: Held): void;
}

export class WaitingLines {
  /** A field, looked at for each command. */
  isEmpty = true;
  readonly #lines = new Set<Line>();
  /** Who tells what is carried out behind what was refused. */
  readonly #watched = new Set<Node>();
  /** By slot and client. */
  readonly #byPlace = new Map<number, Map<ReplySink, Line>>();

  /** How many wait. */
  get length(): number {
    let count = 0;
    for (const { held } of this.#lines) count += held.length;
    return count;
  }

  /** A command that comes now has to wait for one before it. */
  isBehind(request: Request): boolean {
    const line = this.#lineOf(request);
    if (line === undefined) return false;
    settle(line);
    return line.held.length > 0 || line.underWay.length > 0;
  }

  /** One that was under way has to. */
  isOvertaking(request: Request): boolean {
    const line = this.#lineOf(request);
    return line?.held[0]?.wasUnderWay === true && !isFirst(line, request);
  }

  /** It changes something, and its client asked more of the slot behind it, as far as is known. */
  isFollowed(request: Request, node: Node): boolean {
    if (request.isRead) return false;
    const line = this.#lineOf(request);
    if (line !== undefined && isFirst(line, request)) return false;
    if (line?.held[0]?.wasUnderWay === true) return true;
    const connection = node.connection(request.connectionKind);
    if (connection.pending > LOOKED_THROUGH) return true;
    const asker = askerOf(request);
    let isFound = false;
    connection.overdue(Infinity, (other) => {
      if (other.place === request.place && isOrdered(other)) isFound ||= askerOf(other) === asker;
    });
    return isFound;
  }

  /** `setback` undefined: it was not under way. Returns whether it waits for replies that are under way. */
  add(request: Request, until: number, setback: Setback | undefined): boolean {
    const { reply, delayMs = 0, goesAlone = false, node } = setback ?? {};
    const wasUnderWay = setback !== undefined;
    const held: Held = {
      request,
      generation: request.generation,
      until,
      notBefore: performance.now() + delayMs,
      reply,
      wasUnderWay,
      goesAlone,
      behind: node && this.#askedBehind(request, node),
      isOvertaken: false,
    };
    const line = this.#lineFor(request);
    settle(line);
    const before = line.underWay.find((other) => other.request === request);
    line.underWay = line.underWay.filter((other) => other !== before);
    const firstNew = line.held.findIndex((other) => !other.wasUnderWay);
    if (before?.goesFirst === true) line.held.unshift(held);
    else if (wasUnderWay && firstNew >= 0) line.held.splice(firstNew, 0, held);
    else line.held.push(held);
    return line.underWay.length > 0 || held.behind !== undefined;
  }

  #askedBehind(request: Request, node: Node): Behind | undefined {
    if (!this.isFollowed(request, node)) return undefined;
    node.watchOrder(true);
    this.#watched.add(node);
    const connection = node.connection(request.connectionKind);
    return { connection, upTo: (connection.answered + connection.pending) | 0, keys: keysOf(request) };
  }

  /** Later ones wait until it is answered. */
  noteUnderWay(request: Request, goesFirst: boolean): void {
    if (!isOrdered(request)) return;
    const { underWay } = this.#lineFor(request);
    const { generation } = request;
    // Once: refused, it would wait for itself.
    if (underWay.some((other) => other.request === request && other.generation === generation)) return;
    underWay.push({ request, generation, goesFirst });
  }

  /** Its parts stand for it. True: some wait for them. */
  leave(request: Request): boolean {
    const line = this.#lineOf(request);
    if (line === undefined) return false;
    line.underWay = line.underWay.filter((other) => other.request !== request);
    return line.held.length > 0;
  }

  /** It was, or may have been: what was refused before it can't come before it any more. */
  carriedOut(request: Request, connection: Connection): void {
    const line = this.#lineOf(request);
    if (line === undefined) return;
    let keys: Keys | undefined;
    for (const held of line.held) {
      const { behind } = held;
      if (behind?.connection !== connection || held.isOvertaken) continue;
      if (((connection.answered - behind.upTo) | 0) > 0) continue;
      keys ??= keysOf(request);
      held.isOvertaken = haveCommon(behind.keys, keys);
    }
  }

  /** Returns whether some wait for nothing but replies that are under way. */
  retry(now: number, carrier: Carrier): boolean {
    let isSoon = false;
    for (const line of this.#lines) {
      settle(line);
      for (;;) {
        const held = line.held[0];
        if (held === undefined) break;
        const { request, until } = held;
        if (request.generation !== held.generation) {
          line.held.shift();
          continue;
        }
        // A client that has gone may have asked again elsewhere: what is sent later than that comes twice, or undoes it.
        if (held.isOvertaken || request.sink!.isGone === true) {
          line.held.shift();
          carrier.giveUp(held);
          continue;
        }
        if (line.underWay.length > 0 || (!isOver(held.behind) && until > now)) {
          isSoon = true;
          break;
        }
        if (held.notBefore > now && until > now) break;
        if (carrier.send(request, !held.wasUnderWay)) {
          line.held.shift();
          if (held.goesAlone) this.noteUnderWay(request, true);
        } else if (until > now) {
          break;
        } else {
          line.held.shift();
          carrier.giveUp(held);
        }
      }
    }
    this.#dropEmpty();
    return isSoon;
  }

  #dropEmpty(): void {
    for (const line of this.#lines) {
      if (line.held.length === 0 && line.underWay.length === 0) this.#lines.delete(line);
    }
    for (const [place, lines] of this.#byPlace) {
      for (const [asker, line] of lines) if (!this.#lines.has(line)) lines.delete(asker);
      if (lines.size === 0) this.#byPlace.delete(place);
    }
    this.isEmpty = this.#lines.size === 0;
    if (!this.isEmpty) return;
    for (const node of this.#watched) node.watchOrder(false);
    this.#watched.clear();
  }

  #lineOf(request: Request): Line | undefined {
    const lines = this.#byPlace.get(request.place);
    return lines === undefined || !isOrdered(request) ? undefined : lines.get(askerOf(request));
  }

  #lineFor(request: Request): Line {
    const existing = this.#lineOf(request);
    if (existing !== undefined) return existing;
    const line: Line = { held: [], underWay: [] };
    this.#lines.add(line);
    this.isEmpty = false;
    if (!isOrdered(request)) return line;
    const lines = this.#byPlace.get(request.place) ?? new Map<ReplySink, Line>();
    lines.set(askerOf(request), line);
    this.#byPlace.set(request.place, lines);
    return line;
  }
}

/** Only primaries carry it out. */
export function isOrdered({ isRead, terms }: Request): boolean {
  return !isRead || terms.policy === MASTER;
}

/** Of whom it is: of a part, whoever asked for the whole. */
function askerOf(request: Request): ReplySink {
  let asker = request.sink!;
  while (asker.asker !== undefined) asker = asker.asker;
  return asker;
}

/** All that waits in the line waits for it. */
function isFirst(line: Line, request: Request): boolean {
  return line.underWay.some((other) => other.request === request && other.goesFirst);
}

function settle(line: Line): void {
  if (line.underWay.length === 0) return;
  line.underWay = line.underWay.filter(({ request, generation }) => request.generation === generation);
}

function isOver(behind: Behind | undefined): boolean {
  return (
    behind === undefined ||
    behind.connection.isClosed ||
    ((behind.connection.answered - behind.upTo) | 0) >= 0
  );
}

function keysOf({ block, start, end }: Request): Keys {
  return block === null ? 'all' : (argumentsThatAreKeys(block.bytes, start, end) ?? 'all');
}

function haveCommon(keys: Keys, others: Keys): boolean {
  return keys === 'all' || others === 'all' || keys.some((key) => others.includes(key));
}
