/**
 * MGET, MSET, DEL, EXISTS, TOUCH and UNLINK over several slots or servers: a part for each, and one reply of all.
 *
 * Each part is the same command with fewer keys, so that every element is what Redis' own would be. Not atomic, as in
 * any client that splits.
 */
import type { Command } from '../redis/command-table.ts';
import { ReplyScanner } from '../redis/reply-scanner.ts';
import type { RequestFrame } from '../redis/request-frame.ts';
import { REPLIES, encodeError, encodeInteger } from './encode.ts';
import type { ReplySink } from './reply-sink.ts';
import { giveRequest, type Request } from './request.ts';
import type { Destination } from './routing.ts';
import { Scratch } from './scratch.ts';
import type { Session } from './session.ts';
import type { Upstream } from './upstream.ts';

const MINUS = 0x2d;
const CR = 13;

/** The command or reply that is being put together. */
const scratch = new Scratch();

/** Of each key, while one command is worked off. */
let places = new Int32Array(64);
const destinations: Destination[] = [];
/** Of each part: its first key; of each key: the next one of its part, 0 where there is none. */
let nextOfPart = new Int32Array(64);

export function sendSplit(session: Session, bytes: Buffer, frame: RequestFrame, command: Command): void {
  const step = command.name === 'mset' ? 2 : 1;
  const keys = (frame.count - 1) / step;
  if (!Number.isInteger(keys)) {
    return session.answer(encodeError(`ERR wrong number of arguments for '${command.name}' command`));
  }
  if (keys > places.length) {
    places = new Int32Array(2 * keys);
    nextOfPart = new Int32Array(2 * keys);
  }
  const { offsets } = frame;
  const { hashTags } = session.home.routing.terms;
  let isWhole = true;
  for (let key = 0; key < keys; key++) {
    const at = 2 * (1 + key * step);
    const [start, end] = [offsets[at]!, offsets[at + 1]!];
    const destination = session.home.routing.find(bytes, start, end);
    // Refused before anything is sent: nothing is done by half.
    if (destination === null) return session.answer(REPLIES.noUpstreamHost);
    destinations[key] = destination;
    const upstream = command.isRead ? destination.reads : destination.upstream;
    const place = upstream.placeOf(bytes, start + destination.cut, end, hashTags);
    places[key] = place;
    if (destination.cut > 0 || place !== places[0] || destination !== destinations[0]) isWhole = false;
  }
  if (isWhole) {
    return session.send(command, destinations[0]!, bytes, frame.start, frame.at, offsets[2]!, offsets[3]!);
  }
  const firsts = partition(keys);
  const aggregate = new Aggregate(session, command, session.newRequest(command, null), keys, firsts.length);
  for (const first of firsts) sendPart(aggregate, bytes, frame, step, first);
}

/** Chains the keys of each part; returns the first of each. */
function partition(keys: number): number[] {
  const firsts: number[] = [];
  const lasts: number[] = [];
  const byPlace = keys > 32 ? new Map<number, number[]>() : undefined;
  for (let key = 0; key < keys; key++) {
    nextOfPart[key] = 0;
    const candidates = byPlace?.get(places[key]!);
    const part =
      byPlace === undefined
        ? firsts.findIndex((first) => isSamePart(first, key))
        : (candidates?.find((index) => isSamePart(firsts[index]!, key)) ?? -1);
    if (part >= 0) {
      nextOfPart[lasts[part]!] = key;
      lasts[part] = key;
      continue;
    }
    if (candidates === undefined) byPlace?.set(places[key]!, [firsts.length]);
    else candidates.push(firsts.length);
    firsts.push(key);
    lasts.push(key);
  }
  return firsts;
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
  let count = 0;
  for (let key = first; ; key = nextOfPart[key]!) {
    count += 1;
    if (nextOfPart[key] === 0) break;
  }
  scratch.clear();
  scratch.text(`*${1 + count * step}\r\n$${command.name.length}\r\n${command.name}\r\n`);
  const part = aggregate.newPart(upstream);
  part.place = places[first]!;
  for (let key = first; ; key = nextOfPart[key]!) {
    const argument = 1 + key * step;
    const { cut } = destinations[key]!;
    if (cut > 0) {
      scratch.text(`$${offsets[2 * argument + 1]! - offsets[2 * argument]! - cut}\r\n`);
      scratch.append(bytes, offsets[2 * argument]! + cut, offsets[2 * argument + 1]! + 2);
    } else {
      scratch.append(bytes, offsets[2 * argument - 1]! + 2, offsets[2 * argument + 1]! + 2);
    }
    if (step === 2) scratch.append(bytes, offsets[2 * argument + 1]! + 2, offsets[2 * argument + 3]! + 2);
    aggregate.notePart(key);
    if (nextOfPart[key] === 0) break;
  }
  session.heed(upstream.send(part, scratch.bytes, 0, scratch.length));
  if (destination.mirrors === null) return;
  const argument = 2 * (1 + first * step);
  const [start, end] = [offsets[argument]! + destination.cut, offsets[argument + 1]!];
  session.mirror(destination.mirrors, command, scratch.bytes, 0, scratch.length, bytes, start, end);
}

/** Waits for the parts of one split command. */
class Aggregate implements ReplySink {
  readonly session: Session;
  readonly command: Command;
  readonly #request: Request;
  readonly #isMget: boolean;
  /** MGET: the parts, and which one has each key. */
  readonly #parts: Request[] = [];
  readonly #partOfKey: Uint32Array | undefined;
  #missing: number;
  #sum = 0;
  #error: Buffer | undefined;

  constructor(session: Session, command: Command, request: Request, keys: number, parts: number) {
    this.session = session;
    this.command = command;
    this.#request = request;
    this.#missing = parts;
    this.#isMget = command.name === 'mget';
    // A part a key, in their order, needs no list.
    if (this.#isMget && parts !== keys) this.#partOfKey = new Uint32Array(keys);
  }

  newPart(upstream: Upstream): Request {
    const part = this.session.newPart(this.command, upstream);
    part.sink = this;
    if (this.#isMget) this.#parts.push(part);
    return part;
  }

  notePart(key: number): void {
    if (this.#partOfKey !== undefined) this.#partOfKey[key] = this.#parts.length - 1;
  }

  deliver(part: Request, bytes: Uint8Array, start: number, end: number): void {
    if (bytes[start] === MINUS) this.#error ??= Buffer.from(bytes.subarray(start, end));
    else if (bytes[start] === 0x3a) this.#sum += integerOf(bytes, start + 1);
    if (this.#isMget) this.session.replies.put(part, bytes, start, end);
    else giveRequest(part);
    this.#missing -= 1;
    if (this.#missing > 0) return;
    if (this.#isMget) return this.#answerMget();
    const reply = this.#error ?? (this.command.name === 'mset' ? REPLIES.ok : encodeInteger(this.#sum));
    this.#request.sink!.deliver(this.#request, reply, 0, reply.length);
  }

  #answerMget(): void {
    const parts = this.#parts;
    if (this.#error === undefined) this.#merge();
    for (const part of parts) {
      this.session.replies.release(part.reply!);
      giveRequest(part);
    }
    if (this.#error === undefined)
      this.#request.sink!.deliver(this.#request, scratch.bytes, 0, scratch.length);
    else this.#request.sink!.deliver(this.#request, this.#error, 0, this.#error.length);
  }

  /** The elements in the order of the keys. */
  #merge(): void {
    const parts = this.#parts;
    const partOfKey = this.#partOfKey;
    scratch.clear();
    scratch.text(`*${partOfKey?.length ?? parts.length}\r\n`);
    // Behind `*n`.
    for (const part of parts) part.replyStart = behindLine(part.reply!.bytes, part.replyStart);
    if (partOfKey === undefined) {
      for (const { reply, replyStart, replyEnd } of parts) scratch.append(reply!.bytes, replyStart, replyEnd);
      return;
    }
    for (const index of partOfKey) {
      const part = parts[index]!;
      const { bytes } = part.reply!;
      const next = new ReplyScanner().scan(bytes, part.replyStart, part.replyEnd);
      scratch.append(bytes, part.replyStart, next);
      part.replyStart = next;
    }
  }
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
