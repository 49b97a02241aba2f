/**
 * MGET, MSET, DEL, EXISTS, TOUCH and UNLINK whose keys are no longer together: in parts, and one reply of all. Of a slot that
 * is half moved no node has all keys: a part for each. Of plain servers, a part for each.
 */
import { frameOf } from '../../redis/request-frame.ts';
import { MergedReply, interleaved, same, sum, type Merge } from '../wire/merged-reply.ts';
import { takeRequest, type Request } from '../wire/request.ts';

/** undefined: a list, in the order of the keys. */
const MERGES: ReadonlyMap<string, Merge | undefined> = new Map([
  ['mget', undefined],
  ['mset', same],
  ['del', sum],
  ['exists', sum],
  ['touch', sum],
  ['unlink', sum],
]);
const LONGEST_NAME = 6;

type SendPart = (part: Request, bytes: Buffer) => void;

/**
 * True: `send` got the parts, and the request is answered once they are. `placeOf`: keys that have the same are one part;
 * undefined: none are.
 */
export function sendInParts(
  request: Request,
  placeOf: ((bytes: Buffer, start: number, end: number) => number) | undefined,
  send: SendPart,
): boolean {
  const { bytes } = request.block!;
  const { count, offsets } = frameOf(bytes, request.start, request.end);
  const [nameStart, nameEnd] = [offsets[0]!, offsets[1]!];
  if (nameEnd - nameStart > LONGEST_NAME) return false;
  const name = bytes.toString('latin1', nameStart, nameEnd).toLowerCase();
  const step = name === 'mset' ? 2 : 1;
  const keys = (count - 1) / step;
  if (!MERGES.has(name) || keys < 2) return false;
  const keysOfParts = new Map<number, number[]>();
  for (let key = 0; key < keys; key++) {
    const at = 2 * (1 + key * step);
    const which = placeOf?.(bytes, offsets[at]!, offsets[at + 1]!) ?? key;
    const own = keysOfParts.get(which);
    if (own === undefined) keysOfParts.set(which, [key]);
    else own.push(key);
  }
  const lists = [...keysOfParts.values()];
  const merge = MERGES.get(name) ?? interleaved(lists);
  const merged = new MergedReply(request, { merge }, lists.length);
  const parts = lists.map((own) => {
    const pieces = own.map((key) => {
      // From the key's length on, to the end of the key or of its value.
      const first = 1 + key * step;
      return bytes.subarray(offsets[2 * first - 1]! + 2, offsets[2 * (first + step) - 1]! + 2);
    });
    const head = Buffer.from(`*${1 + own.length * step}\r\n$${name.length}\r\n${name}\r\n`);
    return Buffer.concat([head, ...pieces]);
  });
  for (const [index, bytesOfPart] of parts.entries()) {
    const part = takeRequest();
    const { terms, label, connectionKind, place, startedAt } = request;
    Object.assign(part, { terms, label, connectionKind, place, startedAt, sink: merged.sinkFor(index) });
    send(part, bytesOfPart);
  }
  return true;
}
