/**
 * Commands that wait until a node can be asked. Redis carries out the commands of one connection in the order sent; so
 * those of one client for one slot or server wait in line, and what comes later joins it. Of reads that replicas may
 * answer nobody can expect that: each waits for itself.
 */
import type { Connection } from '../wire/connection.ts';
import type { Node } from '../topology/node.ts';
import { argumentsThatAreKeys } from './argument-keys.ts';
import type { ReplySink, Request } from '../wire/request.ts';
import { MASTER } from '../topology/shard.ts';

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
  /** It waits for older ones. */
  readonly isBehind?: boolean;
  /** Who refused it. */
  readonly node?: Node;
}

interface Behind {
  readonly connection: Connection;
  readonly upTo: number;
  /** What was refused. */
  readonly keys: Keys;
}

interface Ordered {
  readonly request: Request;
  readonly generation: number;
  /** Of its line: what is older has the smaller one. */
  readonly order: number;
  /** Where it was refused, and how far the replies must have come before it is known what became of those behind it. */
  readonly behind: readonly Behind[];
  /** Of those behind it one that concerns a key of its was carried out. */
  isOvertaken: boolean;
}

interface Held extends Ordered {
  readonly until: number;
  readonly notBefore: number;
  /** Redis' last word on it. */
  readonly reply: Buffer | undefined;
  /** It came to a connection before: it is older than what has not. */
  readonly wasUnderWay: boolean;
  /** It may be refused again where those behind it are not: they wait for its reply. */
  readonly goesAlone: boolean;
}

/** A request of one moment: with another generation it is another one, and this one over. */
export interface UnderWay extends Ordered {
  /** Where a redirection has sent it. */
  connection?: Connection;
}

/** Older than all that waits. */
const FIRST = -Infinity;

interface Line {
  held: Held[];
  /** All in `held` wait for these; those at its begin are not over. */
  readonly underWay: Map<Request, UnderWay>;
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
  #order = 0;

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
    return line.held.length > 0 || line.underWay.size > 0;
  }

  /** One that was under way has to: an older one waits, or was redirected elsewhere and is not answered. */
  isOvertaking(request: Request, connection: Connection): boolean {
    const line = this.#lineOf(request);
    if (line === undefined) return false;
    settle(line);
    const order = noted(line, request)?.order ?? Infinity;
    const first = line.held[0];
    if (first?.wasUnderWay === true && first.order < order) return true;
    if (line.underWay.size > LOOKED_THROUGH) return order !== FIRST;
    for (const other of line.underWay.values()) {
      const { connection: elsewhere = connection } = other;
      if (other.order < order && elsewhere !== connection && isLive(other)) return true;
    }
    return false;
  }

  /** It changes something, and its client asked more of the slot behind it, as far as is known. */
  isFollowed(request: Request, node: Node): boolean {
    if (request.isRead) return false;
    const line = this.#lineOf(request);
    if (line !== undefined && noted(line, request)?.order === FIRST) return false;
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
    const line = this.#lineFor(request);
    settle(line);
    const before = noted(line, request);
    const behind = [
      ...(before?.behind ?? []),
      ...(node === undefined ? [] : this.#askedBehind(request, node)),
    ];
    const held: Held = {
      request,
      generation: request.generation,
      until,
      notBefore: performance.now() + delayMs,
      reply,
      wasUnderWay,
      goesAlone,
      order: before?.order ?? this.#nextOrder(),
      behind,
      isOvertaken: before?.isOvertaken ?? false,
    };
    line.underWay.delete(request);
    const older = line.held.findLastIndex((other) => other.wasUnderWay && other.order <= held.order);
    if (wasUnderWay) line.held.splice(older + 1, 0, held);
    else line.held.push(held);
    return line.underWay.size > 0 || behind.length > 0;
  }

  #nextOrder(): number {
    this.#order += 1;
    return this.#order;
  }

  #askedBehind(request: Request, node: Node): readonly Behind[] {
    if (!this.isFollowed(request, node)) return [];
    node.watchOrder(true);
    this.#watched.add(node);
    const connection = node.connection(request.connectionKind);
    return [{ connection, upTo: (connection.answered + connection.pending) | 0, keys: keysOf(request) }];
  }

  /**
   * Before a redirection is followed: what its client asks of the slot from now on comes behind it. undefined: nobody can
   * expect that. `isOpen`: it was redirected before, and is not known yet what became of those behind it.
   */
  noteRedirected(request: Request, node: Node): (UnderWay & { readonly isOpen: boolean }) | undefined {
    if (!isOrdered(request)) return undefined;
    const behind = this.#askedBehind(request, node);
    const line = this.#lineFor(request);
    settle(line);
    const before = noted(line, request);
    const note = {
      request,
      generation: request.generation,
      order: before?.order ?? this.#nextOrder(),
      behind: [...(before?.behind ?? []), ...behind],
      isOvertaken: before?.isOvertaken ?? false,
      isOpen: before?.behind.some((other) => !isOver(other)) ?? false,
    };
    line.underWay.set(request, note);
    return note;
  }

  /** Later ones wait until it is answered. */
  noteUnderWay(request: Request, goesFirst: boolean): void {
    if (!isOrdered(request)) return;
    const line = this.#lineFor(request);
    if (noted(line, request) !== undefined) return;
    const { generation } = request;
    const order = goesFirst ? FIRST : this.#nextOrder();
    line.underWay.set(request, { request, generation, order, behind: [], isOvertaken: false });
  }

  /** Its parts stand for it. True: some wait for them. */
  leave(request: Request): boolean {
    const line = this.#lineOf(request);
    if (line === undefined) return false;
    line.underWay.delete(request);
    return line.held.length > 0;
  }

  /** It was, or may have been: what was refused before it can't come before it any more. */
  carriedOut(request: Request, connection: Connection): void {
    const line = this.#lineOf(request);
    if (line === undefined) return;
    let keys: Keys | undefined;
    for (const before of [...line.held, ...line.underWay.values()]) {
      for (const behind of before.behind) {
        if (behind.connection !== connection || before.isOvertaken) continue;
        if (((connection.answered - behind.upTo) | 0) > 0) continue;
        keys ??= keysOf(request);
        before.isOvertaken = haveCommon(behind.keys, keys);
      }
    }
  }

  /** Returns whether some wait for nothing but replies that are under way. */
  retry(now: number, carrier: Carrier): boolean {
    let isSoon = false;
    for (const line of this.#lines) {
      settle(line);
      const sent: Held[] = [];
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
        if (line.underWay.size > 0 || (!held.behind.every(isOver) && until > now)) {
          isSoon = true;
          break;
        }
        if (held.notBefore > now && until > now) break;
        if (carrier.send(request, !held.wasUnderWay)) {
          line.held.shift();
          if (held.goesAlone) this.noteUnderWay(request, true);
          else sent.push(held);
        } else if (until > now) {
          break;
        } else {
          line.held.shift();
          carrier.giveUp(held);
        }
      }
      if (line.held.length === 0) continue;
      // Refused again, they are still older than what waits.
      for (const { request, generation, order } of sent) {
        line.underWay.set(request, { request, generation, order, behind: [], isOvertaken: false });
        isSoon = true;
      }
    }
    this.#dropEmpty();
    return isSoon;
  }

  #dropEmpty(): void {
    for (const line of this.#lines) {
      if (line.held.length === 0 && line.underWay.size === 0) this.#lines.delete(line);
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
    const line: Line = { held: [], underWay: new Map() };
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

function noted(line: Line, request: Request): UnderWay | undefined {
  const found = line.underWay.get(request);
  return found !== undefined && isLive(found) ? found : undefined;
}

function isLive({ request, generation }: UnderWay): boolean {
  return request.generation === generation;
}

function settle(line: Line): void {
  for (const [request, other] of line.underWay) {
    if (isLive(other)) return;
    line.underWay.delete(request);
  }
}

function isOver({ connection, upTo }: Behind): boolean {
  return connection.isClosed || ((connection.answered - upTo) | 0) >= 0;
}

function keysOf({ block, start, end }: Request): Keys {
  return block === null ? 'all' : (argumentsThatAreKeys(block.bytes, start, end) ?? 'all');
}

function haveCommon(keys: Keys, others: Keys): boolean {
  return keys === 'all' || others === 'all' || keys.some((key) => others.includes(key));
}
