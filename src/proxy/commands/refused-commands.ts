/**
 * What is not carried out, and what its client is told.
 */
import { encodeError } from '../wire/encode.ts';

/** It concerns the server itself, which others share. */
export const ADMINISTRATION = 'it is for administrators, who ask a node itself';

const OTHER_REASONS: ReadonlyMap<string, string> = new Map([
  ['clusterscan', 'it is for clients that ask each node; SCAN goes through all of them here'],
]);

/** Of a command that is refused whatever its arguments are. */
export function refusalOf(name: string): Buffer {
  return encodeRefusal(name, OTHER_REASONS.get(name) ?? ADMINISTRATION);
}

/** `name`: of a subcommand `client|kill`. */
export function encodeRefusal(name: string, why: string): Buffer {
  return encodeError(`ERR '${name}' is not carried out by this proxy: ${why}`);
}
