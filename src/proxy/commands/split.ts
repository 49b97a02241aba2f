/**
 * MGET, MSET, DEL, EXISTS, TOUCH and UNLINK over several slots or servers: a part for each, and one reply of all.
 *
 * Each part is the same command with fewer keys, so that every element is what Redis' own would be. Not atomic, as in
 * any client that splits.
 */
import { handOn } from '../wire/reply-sink.ts';
import type { Command } from '../../redis/command-table.ts';
import { ReplyScanner } from '../../redis/reply-scanner.ts';
import type { RequestFrame } from '../../redis/request-frame.ts';
import { REPLIES, encodeInteger, encodeWrongCount } from '../wire/encode.ts';
import { longestReply } from '../wire/partial-reply.ts';
import { copyParts } from './keyed-copies.ts';
import { Draws } from '../client/mirroring.ts';
import { giveRequest, type ReplySink, type Request } from '../wire/request.ts';
import type { Destination } from '../client/routing.ts';
import { Scratch } from './scratch.ts';
import type { Session } from '../client/session.ts';
import { addKey, beginPart, stepOf } from './split-part.ts';

const MINUS = 0x2d;
const COLON = 0x3a;
const STAR = 0x2a;
const ONE = 0x31;
const CR = 13;

/** The command or reply that is being put together. */
const scratch = new Scratch();

/** Of each key, while one command is worked off. */
let places = new Int32Array(64);
const destinations: Destination[] = [];
/** The next key of the same part, 0 where there is none. */
let nextOfPart = new Int32Array(64);
/** Of each part: its first and its last key. */
let firsts = new Int32Array(64);
let lasts = new Int32Array(64);
/** Up to so many keys are compared with each other. */
const FEW = 32;

const HEADS: ReadonlyMap<string, Buffer> = new Map(
  ['mget', 'mset', 'del', 'unlink', 'exists', 'touch'].map((name) => [
    name,
    Buffer.from(`*${name === 'mset' ? 3 : 2}\r\n$${name.length}\r\n${name}\r\n`),
  ]),
);

export function sendSplit(session: Session, bytes: Buffer, frame: RequestFrame, command: Command): void {
  const step = stepOf(command);
  const keys = (frame.count - 1) / step;
  if (!Number.isInteger(keys)) {
    return session.answer(command, encodeWrongCount(command.name));
  }
  if (keys > places.length) {
    places = new Int32Array(2 * keys);
    nextOfPart = new Int32Array(2 * keys);
    firsts = new Int32Array(2 * keys);
    lasts = new Int32Array(2 * keys);
  }
  const { offsets } = frame;
  const { hashTags } = session.home.routing.terms;
  let isWhole = true;
  for (let key = 0; key < keys; key++) {
    const at = 2 * (1 + key * step);
    const [start, end] = [offsets[at]!, offsets[at + 1]!];
    const destination = session.home.routing.find(bytes, start, end);
    // Refused before anything is sent: nothing is done by half.
    if (destination === null) return session.answer(command, REPLIES.noUpstreamHost);
    destinations[key] = destination;
    const upstream = command.isRead ? destination.reads : destination.upstream;
    const place = upstream.placeOf(bytes, start + destination.cut, end, hashTags);
    places[key] = place;
    if (destination.cut > 0 || place !== places[0] || destination !== destinations[0]) isWhole = false;
  }
  // What is copied goes in parts: keys that are together here need not be so at a mirror.
  if (isWhole && (keys === 1 || !hasCopies(destinations[0]!, command))) {
    return session.send(command, destinations[0]!, bytes, frame.start, frame.at, offsets[2]!, offsets[3]!);
  }
  const parts = partition(keys);
  let hasMirrors = false;
  for (let part = 0; part < parts; part++) hasMirrors ||= destinations[firsts[part]!]!.mirrors !== null;
  if (hasMirrors) copy(session, command, bytes, offsets, keys);
  const aggregate = new Aggregate(session, command, session.newRequest(command), keys, parts);
  for (let part = 0; part < parts; part++) sendPart(aggregate, bytes, frame, step, firsts[part]!);
}

function hasCopies({ mirrors }: Destination, { isRead }: Command): boolean {
  return mirrors?.some(({ excludeReads }) => !isRead || !excludeReads) === true;
}

/** Chains the keys of each part; `firsts` has the first of each, returned is how many. */
function partition(keys: number): number {
  const byPlace = keys > FEW ? new Map<number, number[]>() : undefined;
  let parts = 0;
  for (let key = 0; key < keys; key++) {
    nextOfPart[key] = 0;
    const part = byPlace === undefined ? partOf(key, parts) : partAmong(byPlace, key);
    if (part >= 0) {
      nextOfPart[lasts[part]!] = key;
      lasts[part] = key;
      continue;
    }
    const others = byPlace?.get(places[key]!);
    if (others === undefined) byPlace?.set(places[key]!, [parts]);
    else others.push(parts);
    firsts[parts] = key;
    lasts[parts] = key;
    parts += 1;
  }
  return parts;
}

function partOf(key: number, parts: number): number {
  for (let part = 0; part < parts; part++) if (isSamePart(firsts[part]!, key)) return part;
  return -1;
}

function partAmong(byPlace: ReadonlyMap<number, readonly number[]>, key: number): number {
  return byPlace.get(places[key]!)?.find((part) => isSamePart(firsts[part]!, key)) ?? -1;
}

function isSamePart(a: number, b: number): boolean {
  return places[a] === places[b] && destinations[a] === destinations[b];
}

function sendPart(
  aggregate: Aggregate,
  bytes: Buffer,
  { offsets }: RequestFrame,
  step: number,
  first: number,
): void {
  const { session, command } = aggregate;
  const destination = destinations[first]!;
  const upstream = command.isRead ? destination.reads : destination.upstream;
  const part = aggregate.newPart();
  part.place = places[first]!;
  if (nextOfPart[first] === 0) aggregate.notePart(first);
  if (nextOfPart[first] === 0 && destination.cut === 0) {
    const connection = upstream.connectionFor(part);
    if (connection !== null) {
      // From the key's `$` on, to the end of the key or of its value.
      const argument = 2 * (1 + first * step);
      connection.appendBehind(
        aggregate.head,
        part,
        bytes,
        offsets[argument - 1]! + 2,
        offsets[argument + 2 * step - 1]! + 2,
      );
      if (connection.isCongested) session.heed(connection);
      return;
    }
  }
  writePart(aggregate, bytes, offsets, step, first);
  session.heed(upstream.send(part, scratch.bytes, 0, scratch.length));
}

/** Of the keys of each route, what its mirrors get. */
function copy(session: Session, command: Command, bytes: Buffer, offsets: Int32Array, keys: number): void {
  const draws = new Draws();
  for (const destination of new Set(destinations.slice(0, keys))) {
    const own: number[] = [];
    for (let key = 0; key < keys; key++) if (destinations[key] === destination) own.push(key);
    for (const mirror of destination.mirrors ?? []) {
      if (!draws.isCopied(command, mirror)) continue;
      copyParts(session, mirror.upstream, command, bytes, offsets, own, destination.cut);
    }
  }
}

/** Into the scratch: several keys, or keys that lose their prefix. */
function writePart(
  aggregate: Aggregate,
  bytes: Buffer,
  offsets: Int32Array,
  step: number,
  first: number,
): void {
  let count = 0;
  for (let key = first; ; key = nextOfPart[key]!) {
    count += 1;
    if (nextOfPart[key] === 0) break;
  }
  beginPart(scratch, aggregate.command, count);
  for (let key = first; ; key = nextOfPart[key]!) {
    addKey(scratch, bytes, offsets, step, key, destinations[key]!.cut);
    aggregate.notePart(key);
    if (nextOfPart[key] === 0) break;
  }
}

/** Waits for the parts of one split command. */
class Aggregate implements ReplySink {
  readonly session: Session;
  readonly command: Command;
  /** What a part of one key begins with. */
  readonly head: Buffer;
  readonly #request: Request;
  readonly #isMget: boolean;
  readonly #isSum: boolean;
  /** MGET: the parts, a chain in their order, and which of them has each key. */
  #first: Request | null = null;
  #last: Request | null = null;
  #parts = 0;
  readonly #partOfKey: Uint32Array | undefined;
  readonly #keys: number;
  #missing: number;
  #sum = 0;
  #bytes = 0;
  #error: Buffer | undefined;

  constructor(session: Session, command: Command, request: Request, keys: number, parts: number) {
    this.session = session;
    this.command = command;
    this.head = HEADS.get(command.name)!;
    this.#request = request;
    this.#keys = keys;
    this.#missing = parts;
    this.#isMget = command.name === 'mget';
    this.#isSum = !this.#isMget && command.name !== 'mset';
    // A part a key, in their order, needs no list.
    if (this.#isMget && parts !== keys) this.#partOfKey = new Uint32Array(keys);
  }

  newPart(): Request {
    const part = this.session.newPart(this.command);
    part.sink = this;
    if (this.#isMget) {
      if (this.#last === null) this.#first = part;
      else this.#last.next = part;
      this.#last = part;
      this.#parts += 1;
    }
    return part;
  }

  notePart(key: number): void {
    if (this.#partOfKey !== undefined) this.#partOfKey[key] = this.#parts - 1;
  }

  get client(): string {
    return this.session.client;
  }

  get asker(): ReplySink {
    return this.session;
  }

  get isGone(): boolean {
    return this.session.isGone;
  }

  kept(bytes: number): void {
    this.session.kept(bytes);
  }

  deliver(part: Request, bytes: Uint8Array, start: number, end: number): void {
    if (bytes[start] === MINUS) this.#error ??= Buffer.from(bytes.subarray(start, end));
    else if (bytes[start] === COLON) this.#sum += integerOf(bytes, start + 1);
    else if (this.#isSum) this.#error ??= REPLIES.misfits;
    if (this.#isMget) this.#keep(part, bytes, start, end);
    else giveRequest(part);
    this.#missing -= 1;
    if (this.#missing > 0) return;
    if (this.#isMget) return this.#answerMget();
    if (this.#error !== undefined) return this.#fail(this.#error);
    const reply = this.command.name === 'mset' ? REPLIES.ok : encodeInteger(this.#sum);
    this.#answer(reply, reply.length);
  }

  #keep(part: Request, bytes: Uint8Array, start: number, end: number): void {
    this.#bytes += end - start;
    const isTooLong = this.#bytes > longestReply.bytes;
    if (isTooLong) this.#error ??= REPLIES.replyTooLong;
    this.session.replies.put(part, bytes, start, isTooLong ? start : end);
  }

  #answerMget(): void {
    if (this.#error === undefined && !this.#merge()) this.#error = REPLIES.misfits;
    for (let part = this.#first; part !== null;) {
      const { next } = part;
      this.session.replies.release(part.block!);
      giveRequest(part);
      part = next;
    }
    if (this.#error === undefined) this.#answer(scratch.bytes, scratch.length);
    else this.#fail(this.#error);
  }

  #answer(bytes: Uint8Array, length: number): void {
    this.#request.sink!.deliver(this.#request, bytes, 0, length);
  }

  #fail(reply: Buffer): void {
    handOn(this.#request.sink!, this.#request, reply);
  }

  /** The elements in the order of the keys. False: who answered is no Redis, and there are fewer. */
  #merge(): boolean {
    scratch.clear();
    scratch.text(`*${this.#keys}\r\n`);
    // Behind each part's `*n`.
    for (let part = this.#first; part !== null; part = part.next) {
      const { bytes } = part.block!;
      if (this.#partOfKey === undefined && !isListOfOne(bytes, part.start)) return false;
      part.start = behindLine(bytes, part.start);
      if (this.#partOfKey === undefined) scratch.append(bytes, part.start, part.end);
    }
    if (this.#partOfKey === undefined) return true;
    const parts: Request[] = [];
    for (let part = this.#first; part !== null; part = part.next) parts.push(part);
    const scanner = new ReplyScanner();
    for (const index of this.#partOfKey) {
      const part = parts[index]!;
      const { bytes } = part.block!;
      const next = scanner.scan(bytes, part.start, part.end);
      if (next <= part.start) return false;
      scratch.append(bytes, part.start, next);
      part.start = next;
    }
    return true;
  }
}

function isListOfOne(bytes: Uint8Array, from: number): boolean {
  return bytes[from] === STAR && bytes[from + 1] === ONE && bytes[from + 2] === CR;
}

function behindLine(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] !== CR) at += 1;
  return at + 2;
}

function integerOf(bytes: Uint8Array, from: number): number {
  let value = 0;
  for (let at = from; bytes[at] !== CR; at++) value = value * 10 + bytes[at]! - 0x30;
  return value;
}
