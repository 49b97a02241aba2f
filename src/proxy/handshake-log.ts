/**
 * Says which client's TLS handshake failed, and why: for each reason at most one a minute, since who fails tries again.
 */
import type { Logger } from 'pino';

import { handshakeProblem } from '../tls/handshake-problem.ts';

const EVERY_MS = 60_000;

/** A client that goes, or only looks whether somebody listens, as health checks do. */
const GONE = new Set(['ECONNRESET', 'EPIPE']);

export class HandshakeLog {
  readonly #log: Pick<Logger, 'warn'>;
  /** By reason, of which OpenSSL has so many and no more: when it was told, and how often it was not since. */
  readonly #told = new Map<string, { at: number; untold: number }>();

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log;
  }

  tell(client: string, error: NodeJS.ErrnoException, now = performance.now()): void {
    if (GONE.has(error.code ?? '')) return;
    const why = reasonOf(error);
    const before = this.#told.get(why);
    if (before !== undefined && now - before.at < EVERY_MS) {
      before.untold += 1;
      return;
    }
    this.#told.set(why, { at: now, untold: 0 });
    const others =
      before === undefined || before.untold === 0
        ? ''
        : `; so did ${before.untold} more since that was last told`;
    this.#log.warn(`a client's TLS handshake failed (${client}): ${why}${others}`);
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  const problem = handshakeProblem(message);
  if (problem?.kind === 'no TLS' || code === 'ERR_SSL_HTTP_REQUEST') return 'it speaks no TLS';
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'it did not go on';
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'it has no certificate';
  return problem?.kind === 'other' ? problem.what : (code ?? message);
}
