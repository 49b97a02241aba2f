/**
 * SCAN over all primaries: the cursor that the client holds has the shard in its lowest bits, the node's own above.
 */
import type { Command } from '../redis/command-table.ts';
import type { RequestFrame } from '../redis/request-frame.ts';
import { REPLIES, encodeBulk, encodeError } from './encode.ts';
import { wordAt } from './locate.ts';
import type { Session } from './session.ts';

const SHARDS = 1_024n;
/** Cursors are unsigned 64 bit. */
const TOO_LARGE = 1n << 64n;
const MINUS = 0x2d;

export function sendScan(session: Session, bytes: Buffer, frame: RequestFrame, command: Command): void {
  const upstream = session.home.routing.catchAll?.upstream;
  if (upstream === undefined) return session.answer(REPLIES.noUpstreamHost);
  const places = upstream.primaryPlaces();
  const text = wordAt(bytes, frame)(1);
  if (!/^\d{1,20}$/.test(text)) return session.answer(encodeError('ERR invalid cursor'));
  const isOne = places.length <= 1;
  const cursor = BigInt(text);
  const shard = isOne ? 0 : Number(cursor % SHARDS);
  const place = places[shard] ?? 0;
  // The cluster has fewer shards than when this scan began: there is nothing left of it.
  if (shard > 0 && shard >= places.length) {
    return session.answer(Buffer.from('*2\r\n$1\r\n0\r\n*0\r\n'));
  }
  const [start, end] = [frame.offsets[2]!, frame.offsets[3]!];
  const head = bytes.subarray(frame.start, bytes.lastIndexOf('$', start));
  const own = encodeBulk(String(isOne ? cursor : cursor / SHARDS));
  const message = Buffer.concat([head, own, bytes.subarray(end + 2, frame.at)]);
  const request = session.newRequest(command);
  // Always from primaries: a cursor means nothing to another node.
  request.isRead = false;
  request.place = place;
  const sink = request.sink!;
  request.sink = {
    deliver: (answered, reply, from, to) => {
      const made =
        isOne || reply[from] === MINUS ? undefined : rewrite(reply, from, to, shard, places.length);
      if (made === undefined) sink.deliver(answered, reply, from, to);
      else sink.deliver(answered, made, 0, made.length);
    },
  };
  session.heed(upstream.send(request, message, 0, message.length));
}

/** The reply `*2`, cursor, keys, with the client's next cursor in the place of the node's. */
function rewrite(reply: Uint8Array, from: number, to: number, shard: number, shards: number): Buffer {
  const bytes = Buffer.from(reply.subarray(from, to));
  const found = /^\*2\r\n\$\d+\r\n(\d+)\r\n/.exec(bytes.toString('latin1', 0, 64));
  if (found === null) return bytes;
  const cursor = BigInt(found[1] ?? '0');
  const isDone = cursor === 0n;
  const next = isDone && shard + 1 >= shards ? 0n : cursor * SHARDS + BigInt(isDone ? shard + 1 : shard);
  if (next >= TOO_LARGE) return encodeError('ERR the cursor of this node is too large for a scan of several');
  return Buffer.concat([Buffer.from('*2\r\n'), encodeBulk(String(next)), bytes.subarray(found[0].length)]);
}
