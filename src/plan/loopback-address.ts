/**
 * A loopback address for each host (`--bind auto`), so that any number of hosts can keep port 6379.
 *
 * A pure function of the host's name, so the same on every node, after every restart, and in `translate --to hosts`; but
 * of two hosts that get one address (a chance of 3 % among a thousand) the second moves on, as its view has them.
 */

/** 127.0.x.x is left to others (127.0.0.1, resolvers at 127.0.0.53, Debian's 127.0.1.1). */
const FIRST_SECOND_BYTE = 1;
const SECOND_BYTES = 254;
const THIRD_BYTES = 256;
/** Without .0 and .255, which look like a network and a broadcast. */
const FOURTH_BYTES = 254;

/** `attempt`: counts up where another host has the address already. */
export function loopbackAddress(host: string, attempt = 0): string {
  let place = hash(attempt === 0 ? host : `${host} ${attempt}`) % (SECOND_BYTES * THIRD_BYTES * FOURTH_BYTES);
  const fourth = (place % FOURTH_BYTES) + 1;
  place = Math.floor(place / FOURTH_BYTES);
  const third = place % THIRD_BYTES;
  const second = Math.floor(place / THIRD_BYTES) + FIRST_SECOND_BYTE;
  return `127.${second}.${third}.${fourth}`;
}

/** FNV-1a, with a final mix: names that differ in their last letter differ everywhere. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
