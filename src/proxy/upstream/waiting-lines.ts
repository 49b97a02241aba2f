/**
 * Commands that wait until a node can be asked. Redis carries out the commands of one connection in the order sent; so
 * those of one client for one slot or server wait in line, and what comes later joins it. Of reads that replicas may
 * answer nobody can expect that: each waits for itself.
 */
import type { Node } from '../topology/node.ts';
import { MASTER } from '../topology/shard.ts';
import type { Connection } from '../wire/connection.ts';
import type { ReplySink, Request } from '../wire/request.ts';
import { NO_PLACE } from './server-directory.ts';
import {
  LOOKED_THROUGH,
  WaitingLine,
  isHeld,
  keysOf,
  mayBeOvertaken,
  type Behind,
  type Carrier,
  type Given,
  type Setback,
  type UnderWay,
} from './waiting-line.ts';

interface Placing {
  /** Of one that waits; false: it has several. */
  readonly place: (request: Request) => boolean;
  readonly tear: (request: Request, setback: Setback | undefined) => void;
  /** Its parts can't be asked for where something behind it may have been carried out. */
  readonly giveUp: (held: Given) => void;
}

export class WaitingLines {
  /** A field, looked at for each command. */
  isEmpty = true;
  readonly #lines = new Set<WaitingLine>();
  /** Who tells what is carried out behind what was refused. */
  readonly #watched = new Set<Node>();
  /** By slot and client. */
  readonly #byPlace = new Map<number, Map<ReplySink, WaitingLine>>();

  /** How many wait. */
  get length(): number {
    let count = 0;
    for (const { length } of this.#lines) count += length;
    return count;
  }

  /** A command that comes now has to wait for one before it. */
  isBehind(request: Request): boolean {
    return this.#lineOf(request)?.isBusy() ?? false;
  }

  /** One that was under way has to: an older one waits, or was redirected elsewhere and is not answered; or it is not known. */
  isOvertaking(request: Request, connection: Connection): boolean {
    if (request.place === NO_PLACE) return true;
    return this.#lineOf(request)?.isOvertaking(request, connection) ?? false;
  }

  /** Where it was redirected something was behind it that was carried out, or may be yet. */
  isOpen(request: Request): boolean {
    return this.#lineOf(request)?.isOpen(request) ?? false;
  }

  /** It changes something, and its client asked more of the slot behind it, as far as is known. */
  isFollowed(request: Request, node: Node): boolean {
    if (request.isRead) return false;
    const line = this.#lineOf(request);
    if (line?.isFirst(request) === true) return false;
    if (line?.hasReturned === true) return true;
    const connection = node.connection(request.connectionKind);
    if (connection.pending > LOOKED_THROUGH) return true;
    const asker = askerOf(request);
    let isFound = false;
    connection.overdue(Infinity, (other) => {
      if (maySharePlace(other, request) && isOrdered(other)) isFound ||= askerOf(other) === asker;
    });
    return isFound;
  }

  /** One that only primaries answer: before it on this connection is something of its client that may change what it sees. */
  isBehindWrites(request: Request, connection: Connection): boolean {
    if (!isOrdered(request)) return false;
    const asker = askerOf(request);
    let [isFound, isPast] = [false, false];
    connection.overdue(Infinity, (other) => {
      isPast ||= other === request;
      if (isPast || other.isRead || !maySharePlace(other, request)) return;
      isFound ||= askerOf(other) === asker;
    });
    return isFound;
  }

  /** Refused by `node`: nothing of its client that waits, or was redirected, is older; nor was anything asked behind it. */
  isAlone(request: Request, node: Node): boolean {
    if (this.isOpen(request) || this.isFollowed(request, node)) return false;
    return !this.isOvertaking(request, node.connection(request.connectionKind));
  }

  /** `setback` undefined: it was not under way. Returns whether it waits for replies that are under way. */
  add(request: Request, until: number, setback: Setback | undefined): boolean {
    const node = setback?.node;
    const line = this.#lineFor(request);
    return line.add(request, until, setback, node === undefined ? [] : this.#askedBehind(request, node));
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
    return this.#lineFor(request).noteRedirected(request, behind);
  }

  /** Later ones wait until it is answered. */
  noteUnderWay(request: Request, goesFirst: boolean): void {
    if (isOrdered(request)) this.#lineFor(request).noteUnderWay(request, goesFirst);
  }

  /** Its parts stand for it. True: some wait for them. */
  leave(request: Request): boolean {
    return this.#lineOf(request)?.leave(request) ?? false;
  }

  /** A read came before a write that its client sent first, and that was redirected: it may not have seen that. */
  isEarly(request: Request, connection: Connection): boolean {
    return request.isRead && (this.#lineOf(request)?.isEarly(request, connection) ?? false);
  }

  /** It was, or may have been: what was refused before it can't come before it any more. */
  carriedOut(request: Request, connection: Connection): void {
    if (request.place !== NO_PLACE) return this.#lineOf(request)?.carriedOut(request, connection);
    for (const lines of this.#byPlace.values()) lines.get(askerOf(request))?.carriedOut(request, connection);
  }

  /** Returns whether some wait for nothing but replies that are under way. */
  retry(now: number, carrier: Carrier): boolean {
    const goesAlone = (request: Request): void => this.noteUnderWay(request, true);
    let isSoon = false;
    for (const line of this.#lines) if (line.retry(now, carrier, goesAlone)) isSoon = true;
    this.#dropEmpty();
    return isSoon;
  }

  /**
   * Whatever waits goes to the end of the line where it belongs now, as does what it waits for, which has been placed anew
   * already. What has no place as a whole any more waits no longer.
   */
  placeAnew({ place, tear, giveUp }: Placing): void {
    const lines = [...this.#lines].map((line) => line.takeAll());
    const older = lines.flatMap((line) => line.older);
    // Of several lines that become one, too: what was under way is older than what was not.
    for (const each of [...older, ...lines.flatMap(({ later }) => later)]) {
      const { request } = each;
      if (!isHeld(each) || place(request)) {
        this.#lineFor(request).takeOver(each);
      } else if (mayBeOvertaken(each)) {
        giveUp(each);
      } else {
        tear(request, each.wasUnderWay ? {} : undefined);
      }
    }
  }

  #dropEmpty(): void {
    for (const line of this.#lines) if (line.isEmpty) this.#lines.delete(line);
    for (const [place, lines] of this.#byPlace) {
      for (const [asker, line] of lines) if (!this.#lines.has(line)) lines.delete(asker);
      if (lines.size === 0) this.#byPlace.delete(place);
    }
    this.isEmpty = this.#lines.size === 0;
    if (!this.isEmpty) return;
    for (const node of this.#watched) node.watchOrder(false);
    this.#watched.clear();
  }

  #lineOf(request: Request): WaitingLine | undefined {
    const lines = this.#byPlace.get(request.place);
    return lines === undefined || !isOrdered(request) ? undefined : lines.get(askerOf(request));
  }

  #lineFor(request: Request): WaitingLine {
    const existing = this.#lineOf(request);
    if (existing !== undefined) return existing;
    const line = new WaitingLine();
    this.#lines.add(line);
    this.isEmpty = false;
    if (!isOrdered(request)) return line;
    const lines = this.#byPlace.get(request.place) ?? new Map<ReplySink, WaitingLine>();
    lines.set(askerOf(request), line);
    this.#byPlace.set(request.place, lines);
    return line;
  }
}

/** Only primaries carry it out. */
export function isOrdered({ isRead, terms }: Request): boolean {
  return !isRead || terms.policy === MASTER;
}

/** Of one whose keys have parted anything may be the same. */
function maySharePlace({ place: one }: Request, { place: other }: Request): boolean {
  return one === other || one === NO_PLACE || other === NO_PLACE;
}

/** Of whom it is: of a part, whoever asked for the whole. */
function askerOf(request: Request): ReplySink {
  let asker = request.sink!;
  while (asker.asker !== undefined) asker = asker.asker;
  return asker;
}
