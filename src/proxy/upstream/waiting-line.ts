/**
 * The line of one client for one slot or server: what waits, in order, what is under way before it, and whether something was
 * carried out of what was sent behind it.
 */
import type { Connection } from '../wire/connection.ts';
import type { Node } from '../topology/node.ts';
import type { Request } from '../wire/request.ts';
import { argumentsThatAreKeys } from './argument-keys.ts';

/** Of more commands under way it is taken for granted that some are of the same client. */
export const LOOKED_THROUGH = 1_024;

/** Older than all that waits, which waits for it. */
const FIRST = -Infinity;
/** The same once it has waited itself, and others are sent right behind it. */
const EARLY = 0;

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

/** What was sent to a connection behind what was refused there. */
export interface Behind {
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

/** What its client hears of. */
export interface Given {
  readonly request: Request;
  /** Redis' last word on it. */
  readonly reply: Buffer | undefined;
}

/** Nobody is at it, so that nobody answers it. */
interface Held extends Ordered, Given {
  readonly until: number;
  readonly notBefore: number;
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

export interface Carrier {
  /** False: nobody can be asked now. `isFirst`: no node had it before. */
  send(request: Request, isFirst: boolean): boolean;
  /** It is not tried any more. */
  giveUp(held: Given): void;
}

export class WaitingLine {
  readonly #held: Held[] = [];
  /** All in #held wait for these; those at its begin are not over. */
  readonly #underWay = new Map<Request, UnderWay>();
  /** What was sent behind writes where those were redirected. */
  #behindRedirected: Behind[] = [];
  #order = 0;

  /** How many wait. */
  get length(): number {
    return this.#held.length;
  }

  get isEmpty(): boolean {
    return this.#isIdle && this.#behindRedirected.every(isOver);
  }

  get #isIdle(): boolean {
    return this.#held.length === 0 && this.#underWay.size === 0;
  }

  /** What comes now has to wait. */
  isBusy(): boolean {
    this.#settle();
    return !this.#isIdle;
  }

  /** Some of what waits is older than all that its client has under way. */
  get hasReturned(): boolean {
    return this.#held[0]?.wasUnderWay === true;
  }

  /** It is older than all that waits. */
  isFirst(request: Request): boolean {
    return this.#noted(request)?.order === FIRST;
  }

  /** One that was under way has to wait: an older one does, or was redirected elsewhere and is not answered. */
  isOvertaking(request: Request, connection: Connection): boolean {
    this.#settle();
    const order = this.#noted(request)?.order ?? Infinity;
    const first = this.#held[0];
    if (first?.wasUnderWay === true && first.order < order) return true;
    if (this.#underWay.size > LOOKED_THROUGH) return order !== FIRST;
    for (const other of this.#underWay.values()) {
      const { connection: elsewhere = connection } = other;
      if (other.order < order && elsewhere !== connection && isLive(other)) return true;
    }
    return false;
  }

  /** Where it was redirected something was behind it that was carried out, or may be yet. */
  isOpen(request: Request): boolean {
    const noted = this.#noted(request);
    return noted !== undefined && mayBeOvertaken(noted);
  }

  /** `behind`: who was asked behind it where it was refused last. Returns whether it waits for replies that are under way. */
  add(request: Request, until: number, setback: Setback | undefined, behind: readonly Behind[]): boolean {
    const { reply, delayMs = 0, goesAlone = false } = setback ?? {};
    const wasUnderWay = setback !== undefined;
    const notBefore = performance.now() + delayMs;
    const noted = this.#noteAgain(request, behind);
    const held: Held = { ...noted, until, notBefore, reply, wasUnderWay, goesAlone };
    this.#underWay.delete(request);
    if (wasUnderWay) {
      const older = this.#held.findLastIndex((other) => other.wasUnderWay && other.order <= held.order);
      this.#held.splice(older + 1, 0, held);
    } else {
      this.#held.push(held);
    }
    return this.#underWay.size > 0 || held.behind.length > 0;
  }

  /** Nothing waits any more, nor for anything. `older`: what is or was under way. Both in order. */
  takeAll(): { readonly older: readonly (Held | UnderWay)[]; readonly later: readonly Held[] } {
    const underWay = [...this.#underWay.values()];
    this.#underWay.clear();
    const held = this.#held.splice(0);
    const older = [...underWay.filter(isLive), ...held.filter(({ wasUnderWay }) => wasUnderWay)];
    const inOrder = older.toSorted((one, other) =>
      one.order < other.order ? -1 : Number(one.order > other.order),
    );
    return { older: inOrder, later: held.filter(({ wasUnderWay }) => !wasUnderWay) };
  }

  /** It was in another line: behind what is in this one. */
  takeOver(other: Held | UnderWay): void {
    const order = this.#nextOrder();
    if (isHeld(other)) this.#held.push({ ...other, order });
    else this.#underWay.set(other.request, { ...other, order });
  }

  /** `isOpen`: it was redirected before, and is not known yet what became of those behind it. */
  noteRedirected(request: Request, behind: readonly Behind[]): UnderWay & { readonly isOpen: boolean } {
    const isOpen = this.#noted(request)?.behind.some((other) => !isOver(other)) ?? false;
    const note = { ...this.#noteAgain(request, behind), isOpen };
    this.#underWay.set(request, note);
    this.#behindRedirected = [...this.#behindRedirected.filter((other) => !isOver(other)), ...behind];
    return note;
  }

  /** With what is known of it, if it was noted before. */
  #noteAgain(request: Request, behind: readonly Behind[]): Ordered {
    const before = this.#noted(request);
    return {
      request,
      generation: request.generation,
      order: before?.order ?? this.#nextOrder(),
      behind: [...(before?.behind ?? []), ...behind],
      isOvertaken: before?.isOvertaken ?? false,
    };
  }

  /** Later ones wait until it is answered. */
  noteUnderWay(request: Request, goesFirst: boolean): void {
    if (this.#noted(request) !== undefined) return;
    const { generation } = request;
    const order = goesFirst ? FIRST : this.#nextOrder();
    this.#underWay.set(request, { request, generation, order, behind: [], isOvertaken: false });
  }

  #nextOrder(): number {
    this.#order += 1;
    return this.#order;
  }

  /** Its parts stand for it. True: some wait for them. */
  leave(request: Request): boolean {
    this.#underWay.delete(request);
    return this.#held.length > 0;
  }

  /** A read came before a write that its client sent first, and that was redirected: it may not have seen that. */
  isEarly(request: Request, connection: Connection): boolean {
    const among = this.#behindRedirected.filter((behind) => isAmong(behind, connection));
    if (among.length === 0) return false;
    const keys = keysOf(request);
    return among.some((behind) => haveCommon(behind.keys, keys));
  }

  /** It was, or may have been: what was refused before it can't come before it any more. */
  carriedOut(request: Request, connection: Connection): void {
    let keys: Keys | undefined;
    for (const before of [...this.#held, ...this.#underWay.values()]) {
      for (const behind of before.behind) {
        if (before.isOvertaken || !isAmong(behind, connection)) continue;
        keys ??= keysOf(request);
        before.isOvertaken = haveCommon(behind.keys, keys);
      }
    }
  }

  /** `goesAlone`: told who was sent that all behind it wait for. Returns whether some wait for nothing but replies. */
  retry(now: number, carrier: Carrier, goesAlone: (request: Request) => void): boolean {
    this.#settle();
    const sent: Held[] = [];
    let isSoon = false;
    for (;;) {
      const held = this.#held[0];
      if (held === undefined) return false;
      const { request, until } = held;
      // A client that has gone may have asked again elsewhere: what is sent later than that comes twice, or undoes it.
      if (held.isOvertaken || request.sink!.isGone === true) {
        this.#held.shift();
        carrier.giveUp(held);
        continue;
      }
      const isKnown = held.behind.every(isOver);
      if (this.#underWay.size > 0 || (!isKnown && until > now)) {
        isSoon = true;
        break;
      }
      if (held.notBefore > now && until > now) break;
      // Where the time is up first, those behind it may be carried out yet.
      if (isKnown && carrier.send(request, !held.wasUnderWay)) {
        this.#held.shift();
        // Behind others it waits for those, where they are refused again.
        if (held.goesAlone && sent.length === 0) goesAlone(request);
        else sent.push(held);
        if (held.goesAlone) {
          isSoon = this.#held.length > 0;
          break;
        }
      } else if (until > now) {
        break;
      } else {
        this.#held.shift();
        carrier.giveUp(held);
      }
    }
    // Refused again, they are still older than what waits.
    for (const { request, generation, order } of sent) {
      const since = Math.max(order, EARLY);
      this.#underWay.set(request, { request, generation, order: since, behind: [], isOvertaken: false });
    }
    return isSoon || sent.length > 0;
  }

  #noted(request: Request): UnderWay | undefined {
    const found = this.#underWay.get(request);
    return found !== undefined && isLive(found) ? found : undefined;
  }

  #settle(): void {
    for (const [request, other] of this.#underWay) {
      if (isLive(other)) return;
      this.#underWay.delete(request);
    }
  }
}

export function isHeld(one: Held | UnderWay): one is Held {
  return 'until' in one;
}

function isLive({ request, generation }: Ordered): boolean {
  return request.generation === generation;
}

/** Where it was refused something was behind it that was carried out, or may be yet. */
export function mayBeOvertaken({ behind, isOvertaken }: Ordered): boolean {
  return isOvertaken || !behind.every(isOver);
}

function isOver({ connection, upTo }: Behind): boolean {
  return ((connection.answered - upTo) | 0) >= 0;
}

/** What the connection has answered last was sent behind what was refused. */
function isAmong(behind: Behind, connection: Connection): boolean {
  return behind.connection === connection && ((connection.answered - behind.upTo) | 0) <= 0;
}

export function keysOf({ block, start, end }: Request): Keys {
  return argumentsThatAreKeys(block!.bytes, start, end) ?? 'all';
}

function haveCommon(keys: Keys, others: Keys): boolean {
  if (keys === 'all' || others === 'all') return true;
  // Of each there may be a million.
  const among = new Set(others);
  return keys.some((key) => among.has(key));
}
