/**
 * What is said of subscriptions: to servers, by them, and to clients.
 */
import { slotOf } from '../../redis/slots.ts';
import type { Refusal } from '../upstream/refusal.ts';

const PUSH = 0x3e;
const STAR = 0x2a;
const COLON = 0x3a;

interface Confirmed {
  readonly name: string;
  readonly channels: readonly string[];
  /** To how many its client is subscribed after each. */
  readonly counts: readonly number[];
}

/** Of an array or push that begins with a string: `subscribe`, `message`, …; undefined: it is none. */
export function firstWord(bytes: Uint8Array, start: number, end: number): string | undefined {
  const text = Buffer.from(bytes.subarray(start, Math.min(end, start + 48))).toString('latin1');
  return /^[*>]\d+\r\n\$\d+\r\n([ps]?(?:un)?subscribe|[ps]?message)\r\n/.exec(text)?.[1];
}

/** As far as to where the channel begins. */
const LONGEST_HEAD = 64;

/** The second element of an array or push whose first is a word. */
export function channelOf(bytes: Uint8Array, start: number, end: number): string {
  const told = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  const head = /^[*>]\d+\r\n\$\d+\r\n\w+\r\n\$(\d+)\r\n/.exec(told.toString('latin1', 0, LONGEST_HEAD));
  if (head === null) return '';
  return told.toString('latin1', head[0].length, head[0].length + Number(head[1]));
}

/** As a client's protocol has it, which HELLO may have changed since the connection to Redis was made. */
export function inProtocol(protocol: 2 | 3, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const type = protocol === 3 ? PUSH : STAR;
  if (bytes[start] === type || (bytes[start] !== PUSH && bytes[start] !== STAR)) {
    return bytes.subarray(start, end);
  }
  const told = Buffer.from(bytes.subarray(start, end));
  told[0] = type;
  return told;
}

/**
 * A redirection that is no answer to what is asked of the channel: it is to a SUNSUBSCRIBE, of which the node had let the channel
 * go of itself by then, and that was taken for the confirmation. undefined: nothing is asked.
 */
export function isOfAnother(refusal: Refusal, channel: string | undefined): boolean {
  if (refusal.kind !== 'moved' && refusal.kind !== 'ask') return false;
  return channel === undefined || slotOf(Buffer.from(channel, 'latin1'), 0, channel.length) !== refusal.slot;
}

/** Channels are Latin-1: each character a byte. */
export function encodeSubscription(name: string, channels: readonly string[]): Buffer {
  const parts = [name, ...channels].map((word) => `$${word.length}\r\n${word}\r\n`);
  return Buffer.from(`*${parts.length}\r\n${parts.join('')}`, 'latin1');
}

/** What Redis would say to an UNSUBSCRIBE. */
export function confirm({ name, channels, counts }: Confirmed, protocol: 2 | 3): Buffer {
  const [head, nothing] = protocol === 3 ? ['>3', '_'] : ['*3', '$-1'];
  const parts = counts.map((count, index) => {
    const channel = channels[index];
    const second = channel === undefined ? nothing : `$${channel.length}\r\n${channel}`;
    return `${head}\r\n$${name.length}\r\n${name}\r\n${second}\r\n:${count}\r\n`;
  });
  return Buffer.from(parts.join(''), 'latin1');
}

/** A confirmation, its last element replaced. */
export function withCount(bytes: Uint8Array, count: number | undefined): Buffer {
  if (count === undefined) return Buffer.from(bytes);
  return Buffer.concat([bytes.subarray(0, bytes.lastIndexOf(COLON) + 1), Buffer.from(`${count}\r\n`)]);
}
