/**
 * SCAN over all primaries, one after the other: the cursor that the client holds tells in its lowest bits which one, above
 * them the node's own.
 *
 * A cursor means nothing to another node: where another one is primary meanwhile, its shard begins anew. Elements may come
 * twice then, as SCAN may have it; none is passed over. Of plain servers, which may stand elsewhere in their list by then, the
 * cursor's is known again by its mark.
 */
import type { Command } from '../../redis/command-table.ts';
import { type RequestFrame, wordAt } from '../../redis/request-frame.ts';
import { toAllPrimaries, type Primaries } from './all-primaries.ts';
import { encodeBulk, encodeError } from '../wire/encode.ts';
import type { Node } from '../topology/node.ts';
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
/** The mark of a node that could not be asked: none has it. */
const UNKNOWN = 1;

interface Cursor {
  /** The node's. */
  readonly own: bigint;
  /** A slot of the shard, or the server's index: what upstreams have in the lowest bits of a place. */
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
  // One server alone is asked as it is.
  const isAlone = !upstream.checksSlots && places.length <= 1;
  const held = decode(isAlone ? 0n : BigInt(text));
  const place = held.mark === 0 ? places[0] : placeOf(upstream, places, held);
  // A slot is a place, also where another slot is its shard's first by now; of servers there are fewer.
  if (place === undefined && !upstream.checksSlots) {
    return session.answer(command, Buffer.from('*2\r\n$1\r\n0\r\n*0\r\n'));
  }
  const request = session.newRequest(command);
  request.terms = session.home.routing.primaryTerms;
  request.place = place ?? held.position;
  const marked = markOf(upstream.primaryFor(request.place));
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
    const asked = { own, position: request.place & POSITION, mark: isOther ? marked : held.mark };
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
  const place = placeOf(upstream, places, asked) ?? asked.position;
  const position = place & POSITION;
  const mark = markOf(upstream.primaryFor(place)) || asked.mark;
  let next = 0n;
  if (mark !== asked.mark) {
    // Another node has the shard by now.
    next = encode({ own: 0n, position, mark });
  } else if (own > 0n) {
    next = encode({ own, position, mark });
  } else {
    const behind = places.find((each) => (each & POSITION) > position);
    if (behind !== undefined) {
      const behindMark = markOf(upstream.primaryFor(behind)) || UNKNOWN;
      next = encode({ own: 0n, position: behind & POSITION, mark: behindMark });
    }
  }
  if (next >= TOO_LARGE) return encodeError('ERR the cursor of this node is too large for a scan of several');
  return Buffer.concat([Buffer.from('*2\r\n'), encodeBulk(String(next)), reply.subarray(found[0].length)]);
}

/** Where the cursor's node is now; undefined: nowhere that is known. */
function placeOf(
  upstream: Upstream,
  places: readonly number[],
  { position, mark }: Cursor,
): number | undefined {
  const there = places.find((each) => (each & POSITION) === position);
  if (upstream.checksSlots) return there;
  // Other servers came or went, and it stands elsewhere among them.
  const isMarked = (each: number): boolean => markOf(upstream.primaryFor(each)) === mark;
  return there !== undefined && isMarked(there) ? there : (places.find(isMarked) ?? there);
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

/** 0: there is none. */
function markOf(node: Node | null): number {
  return node === null ? 0 : markOfAddress(node.address);
}

/** 2 to 4,095, nearly always different for different nodes. */
export function markOfAddress(address: string): number {
  let sum = 0;
  for (const character of address) sum = (sum * 31 + character.charCodeAt(0)) % (MARKS - 2);
  return sum + 2;
}
