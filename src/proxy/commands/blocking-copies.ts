/**
 * Copies of commands that may wait, which at a mirror must not: its connections are shared.
 */
import type { Command } from '../../redis/command-table.ts';
import { frameOf, wordsOf } from '../../redis/request-frame.ts';
import { encodeBulk, encodeList } from '../wire/encode.ts';
import { copyLocated } from './keyed-copies.ts';
import type { Located } from '../client/locate.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import type { Session } from '../client/session.ts';
import { unblocked } from './unblocked.ts';

const MINUS = 0x2d;
const UNDERSCORE = 0x5f;
/** Pops begin their answer with the key that had something. */
const NAMES_KEY = /^b(?:l|r|z)m?pop/i;

/** Once it has got something; `request` is what it waits as. */
export function copyOnceAnswered(
  session: Session,
  request: Request,
  command: Command,
  located: Located,
): void {
  if (located.destination.mirrors === null) return;
  const words = wordsIn(located);
  const sink = request.sink!;
  request.sink = inFrontOf(sink, (answered, reply, start, end) => {
    if (!isNothing(reply, start)) {
      const found = NAMES_KEY.test(command.name)
        ? firstElement(Buffer.from(reply.subarray(start, end)))
        : undefined;
      const copy = withoutWaiting(located, words, found);
      if (copy !== undefined) copyLocated(session, command, copy);
    }
    handOn(sink, answered, reply, start, end);
  });
}

/** With bytes of its own. `found`: the key that had something; undefined: there is nothing to copy. */
export function withoutWaiting(
  located: Located,
  words = wordsIn(located),
  found?: string,
): Located | undefined {
  const instead = unblocked(words, found);
  if (instead === undefined) return undefined;
  const bytes = encodeList(instead.words.map((word) => encodeBulk(word)));
  const { offsets } = frameOf(bytes);
  const [keyStart, keyEnd] = [offsets[2 * instead.key]!, offsets[2 * instead.key + 1]!];
  return { ...located, bytes, from: 0, to: bytes.length, keyStart, keyEnd };
}

/** Each character a byte. */
function wordsIn({ bytes, from, to }: Located): readonly string[] {
  return wordsOf(bytes, frameOf(bytes, from, to));
}

/** An error, or null in either protocol. */
function isNothing(reply: Uint8Array, start: number): boolean {
  return reply[start] === MINUS || reply[start] === UNDERSCORE || reply[start + 1] === MINUS;
}

/** Of an array, where that is a string. */
function firstElement(reply: Buffer): string | undefined {
  const head = /^\*\d+\r\n\$(\d+)\r\n/.exec(reply.toString('latin1', 0, 64));
  return head === null
    ? undefined
    : reply.toString('latin1', head[0].length, head[0].length + Number(head[1]));
}
