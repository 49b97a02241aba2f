/**
 * MGET, MSET, DEL, EXISTS, TOUCH and UNLINK of a slot that is half moved, whose keys no node has together: a part for each
 * key, and one reply of all.
 */
import { REQUEST_LIMITS, RequestFrame } from '../../redis/request-frame.ts';
import { MergedReply, concatenate, same, sum, type Merge } from '../wire/merged-reply.ts';
import { takeRequest, type Request } from '../wire/request.ts';

const MERGES: ReadonlyMap<string, Merge> = new Map([
  ['mget', concatenate],
  ['mset', same],
  ['del', sum],
  ['exists', sum],
  ['touch', sum],
  ['unlink', sum],
]);
const LONGEST_NAME = 6;

/** True: `send` got a part for each key, and the request is answered once they are. */
export function sendByKey(request: Request, send: (part: Request, bytes: Buffer) => void): boolean {
  const { bytes } = request.block!;
  const frame = new RequestFrame();
  frame.begin(request.start);
  frame.parse(bytes, request.end, REQUEST_LIMITS);
  const { count, offsets } = frame;
  const [nameStart, nameEnd] = [offsets[0]!, offsets[1]!];
  if (nameEnd - nameStart > LONGEST_NAME) return false;
  const name = bytes.toString('latin1', nameStart, nameEnd).toLowerCase();
  const merge = MERGES.get(name);
  const step = name === 'mset' ? 2 : 1;
  const keys = (count - 1) / step;
  if (merge === undefined || keys < 2) return false;
  const head = Buffer.from(`*${1 + step}\r\n$${name.length}\r\n${name}\r\n`);
  const merged = new MergedReply(request, { merge }, keys);
  const parts = Array.from({ length: keys }, (_, index) => {
    // From the key's length on, to the end of the key or of its value.
    const first = 1 + index * step;
    const [from, to] = [offsets[2 * first - 1]! + 2, offsets[2 * (first + step) - 1]! + 2];
    return Buffer.concat([head, bytes.subarray(from, to)]);
  });
  for (const [index, bytesOfPart] of parts.entries()) {
    const part = takeRequest();
    const { terms, label, connectionKind, place, startedAt } = request;
    Object.assign(part, { terms, label, connectionKind, place, startedAt, sink: merged.sinkFor(index) });
    send(part, bytesOfPart);
  }
  return true;
}
