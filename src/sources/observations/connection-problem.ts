/**
 * Why no connection to Redis can be made, as the system or OpenSSL names it; of what is wrong with TLS also in words, with
 * what to do: `CERT_HAS_EXPIRED: its certificate has ended; renew it`.
 */
import type { PeerCertificate } from 'node:tls';

import { SAYS_TOO_MUCH } from './answer-limit.ts';

export const SPEAKS_NO_TLS =
  'it speaks no TLS; give the port where it does, or take tls out of its RedisDestination';

export const SPEAKS_TLS =
  'it speaks TLS; write trafficPolicy.tls into its RedisDestination (--upstream has none: give --config), or give its port without TLS';

export const SAYS_NOTHING =
  'it takes connections and says nothing, with TLS or without; look whether it runs, and whether that is its port';

export const NO_REDIS = 'what it answers is not RESP, so it is no Redis; give the address of one';

const WORDS: readonly (readonly [code: RegExp, words: string])[] = [
  [
    /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)/,
    'its certificate is signed by nobody whom the proxy believes; put who has signed it into ca.crt of its Secret',
  ],
  [/CERT_HAS_EXPIRED/, 'its certificate has ended; renew it'],
  [/CERT_NOT_YET_VALID/, 'its certificate is not valid yet; look at the clocks of both'],
  [
    /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/,
    'it wants a certificate; write mode: MUTUAL, and a Secret with tls.crt and tls.key',
  ],
  [/ALERT_UNKNOWN_CA/, "it does not know who has signed the proxy's certificate; see its tls-ca-cert-file"],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE/, SPEAKS_NO_TLS],
];

const TURNED_AWAY: typeof WORDS = [
  [
    /^ERR max number of clients (?:\+ cluster connections )?reached$/,
    'it takes no more clients: raise its maxclients, or look who has so many connections',
  ],
  [
    /^DENIED \w+ is running in protected mode/,
    'it is in protected mode: give it a password, or write protected-mode no where only friends reach it',
  ],
];

/** With the fields that Node gives to errors about certificates. */
type Problem = NodeJS.ErrnoException & {
  readonly cert?: Partial<PeerCertificate>;
  readonly host?: string;
};

export function problemOf(error: Error): string {
  const { code, message, cert, host }: Problem = error;
  // ioredis says "Unknown RESP type 72 "H". Please report this.", which is about itself.
  if (message.startsWith('Unknown RESP type')) return NO_REDIS;
  if (message.startsWith(SAYS_TOO_MUCH)) return SAYS_TOO_MUCH;
  if (code === undefined) return message;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = cert?.subjectaltname ?? 'no name';
    return `${code}: its certificate is for ${names}, not for ${host}; write one of its names as serverName`;
  }
  const words = WORDS.find(([which]) => which.test(code))?.[1];
  return words === undefined ? code : `${code}: ${words}`;
}

/**
 * What Redis says to whoever connects, before it hangs up: nothing that it was asked is carried out. `said`: the error, without
 * its `-`. undefined: it is another one.
 */
export function turnedAway(said: string): string | undefined {
  return TURNED_AWAY.find(([which]) => which.test(said))?.[1];
}

/** It says in words what is wrong. */
export function isExplained(problem: string): boolean {
  return problem.includes(': ');
}

/** Whether what happened may be the answer of a server that speaks TLS to one who does not, or the other way around. */
export function isVague(problem: string, hasTls: boolean): boolean {
  if (/ECONNRESET|EPIPE|closed|not RESP|Protocol error/i.test(problem)) return true;
  return hasTls && /ETIMEDOUT|does not answer|no (?:connection|answer) within/.test(problem);
}
