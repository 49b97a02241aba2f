/**
 * SCAN over all primaries, one after the other: the cursor that the client holds tells in its lowest bits which one, above
 * them the node's own.
 *
 * A cursor means nothing to another node: where another one is primary meanwhile, its shard begins anew. Elements may come
 * twice then, as SCAN may have it; none is passed over. Of plain servers, of which others may come and go, the cursor's is
 * known again by its mark; where it is gone, or the cursor is of a time when there was one alone, all begin anew.
 */
import type { Command } from '../../redis/command-table.ts';
import { type RequestFrame, wordAt } from '../../redis/request-frame.ts';
import { toAllPrimaries, type Primaries } from './all-primaries.ts';
import { encodeBulk, encodeError } from '../wire/encode.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import type { Session } from '../client/session.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** What is left is the node's own: 38 bits, where Valkey 9 has 14 for the slot and 24 for the table of its keys. */
const MARK_BITS = 12n;
const MARKS = 2 ** Number(MARK_BITS);
/** As many as there are slots; of servers nobody has more. */
const POSITION_BITS = 14n;
const POSITION = 2 ** Number(POSITION_BITS) - 1;
/** Cursors are unsigned 64 bit. */
const TOO_LARGE = 1n << 64n;
const MINUS = 0x2d;
/** No node has it. */
const NOBODY = 1;

interface Cursor {
  /** The node's. */
  readonly own: bigint;
  /** A slot of the shard, or the server's rank among all. */
  readonly position: number;
  /** Of the node that it is for; 0: it is the first. */
  readonly mark: number;
}

export function sendScan(session: Session, bytes: Buffer, frame: RequestFrame, command: Command): void {
  const text = wordAt(bytes, frame)(1);
  if (!/^\d{1,20}$/.test(text) || BigInt(text) >= TOO_LARGE)
    return session.answer(command, encodeError('ERR invalid cursor'));
  toAllPrimaries(session, bytes, frame, command, (primaries, kept, again) =>
    scanOne(session, command, primaries, kept, again),
  );
}

function scanOne(
  session: Session,
  command: Command,
  { upstream, places }: Primaries,
  bytes: Buffer,
  frame: RequestFrame,
): void {
  const text = wordAt(bytes, frame)(1);
  const isAlone = isOneServer(upstream, places);
  const held = decode(isAlone ? 0n : BigInt(text));
  const request = session.newRequest(command);
  request.terms = session.home.routing.primaryTerms;
  request.place = (held.mark === 0 ? undefined : placeOf(upstream, places, held)) ?? places[0]!;
  const marked = markAt(upstream, request.place);
  const isOther = marked !== 0 && marked !== held.mark;
  const own = isOther ? 0n : held.own;
  const [start, end] = [frame.offsets[2]!, frame.offsets[3]!];
  const head = bytes.subarray(frame.start, bytes.lastIndexOf('$', start));
  const message = Buffer.concat([
    head,
    encodeBulk(isAlone ? text : String(own)),
    bytes.subarray(end + 2, frame.at),
  ]);
  if (!isAlone) {
    const sink = request.sink!;
    const position = positionOf(upstream, places, request.place);
    const asked = { own, position, mark: isOther ? marked : held.mark };
    request.sink = inFrontOf(sink, (answered, reply, from, to) => {
      if (reply[from] === MINUS) return handOn(sink, answered, reply, from, to);
      const made = rewrite(upstream, asked, Buffer.from(reply.subarray(from, to)));
      handOn(sink, answered, made);
    });
  }
  session.heed(upstream.send(request, message, 0, message.length));
}

/** The reply `*2`, cursor, keys, with the client's next cursor in the place of the node's. */
function rewrite(upstream: Upstream, asked: Cursor, reply: Buffer): Buffer {
  const found = /^\*2\r\n\$\d+\r\n(\d+)\r\n/.exec(reply.toString('latin1', 0, 64));
  if (found === null) return reply;
  const own = BigInt(found[1] ?? '0');
  const places = upstream.primaryPlaces();
  const place = placeOf(upstream, places, asked);
  const mark = place === undefined ? NOBODY : markAt(upstream, place) || asked.mark;
  let next = 0n;
  if (place === undefined || mark !== asked.mark) {
    // Another node has the shard by now, or the server is gone.
    next = encode({ own: 0n, position: asked.position, mark });
  } else if (own > 0n) {
    const position = positionOf(upstream, places, place);
    next = isOneServer(upstream, places) ? own : encode({ own, position, mark });
  } else {
    const position = positionOf(upstream, places, place);
    const behind = places.find((each) => positionOf(upstream, places, each) > position);
    if (behind !== undefined) {
      const behindMark = markAt(upstream, behind) || NOBODY;
      next = encode({ own: 0n, position: positionOf(upstream, places, behind), mark: behindMark });
    }
  }
  if (next >= TOO_LARGE) return encodeError('ERR the cursor of this node is too large for a scan of several');
  return Buffer.concat([Buffer.from('*2\r\n'), encodeBulk(String(next)), reply.subarray(found[0].length)]);
}

/** Where the cursor's node is now; undefined: it is a server, and gone. */
function placeOf(
  upstream: Upstream,
  places: readonly number[],
  { position, mark }: Cursor,
): number | undefined {
  // A slot is a place, also where another slot is its shard's by now.
  if (upstream.checksSlots) return position;
  const isMarked = (each: number): boolean => markAt(upstream, each) === mark;
  const there = places[position];
  return there !== undefined && isMarked(there) ? there : places.find(isMarked);
}

/** Asked with its cursors as they are, which may be larger than there is room for. */
function isOneServer(upstream: Upstream, places: readonly number[]): boolean {
  return !upstream.checksSlots && places.length <= 1;
}

function positionOf(upstream: Upstream, places: readonly number[], place: number): number {
  return upstream.checksSlots ? place : places.indexOf(place);
}

function encode({ own, position, mark }: Cursor): bigint {
  return (((own << POSITION_BITS) | BigInt(position)) << MARK_BITS) | BigInt(mark);
}

function decode(cursor: bigint): Cursor {
  return {
    own: cursor >> (POSITION_BITS + MARK_BITS),
    position: Number((cursor >> MARK_BITS) & BigInt(POSITION)),
    mark: Number(cursor & ((1n << MARK_BITS) - 1n)),
  };
}

/** Of whose place it is, whether that can be asked or not; 0: it is nobody's. */
function markAt(upstream: Upstream, place: number): number {
  const node = upstream.holderOf(place);
  return node === undefined ? 0 : markOfAddress(node.address);
}

/** 2 to 4,095, nearly always different for different nodes. */
export function markOfAddress(address: string): number {
  let sum = 0;
  for (const character of address) sum = (sum * 31 + character.charCodeAt(0)) % (MARKS - 2);
  return sum + 2;
}
