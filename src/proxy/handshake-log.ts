/**
 * Says which client's TLS handshake failed, and why: for each reason at most one a minute, since who fails tries again.
 */
import type { Logger } from 'pino';

import { handshakeProblem } from '../tls/handshake-problem.ts';
import { OnceAMinute } from './client/once-a-minute.ts';

/** Alerts of a client, as OpenSSL names them. */
const DISBELIEF = /alert (?:unknown ca|bad certificate|certificate (?:unknown|expired))/;
const TELL = 'tell it who has signed that, or renew it';

/** A client that goes, or only looks whether somebody listens, as health checks do. */
const GONE = new Set(['ECONNRESET', 'EPIPE']);

export class HandshakeLog {
  readonly #log: Pick<Logger, 'warn'>;
  /** By reason, of which OpenSSL has so many and no more. */
  readonly #told = new OnceAMinute();

  constructor(log: Pick<Logger, 'warn'>) {
    this.#log = log;
  }

  tell(client: string, error: NodeJS.ErrnoException, now = performance.now()): void {
    if (GONE.has(error.code ?? '')) return;
    const why = reasonOf(error);
    const untold = this.#told.due(why, now);
    if (untold === undefined) return;
    const others = untold === 0 ? '' : `; so did ${untold} more since that was last told`;
    this.#log.warn(`a client's TLS handshake failed (${client}): ${why}${others}`);
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  const problem = handshakeProblem(message);
  if (problem?.kind === 'no TLS' || code === 'ERR_SSL_HTTP_REQUEST')
    return 'it speaks no TLS; let it connect with TLS';
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'it did not go on';
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
    return 'it has no certificate; give it one of --tls-listener-ca';
  const what = problem?.kind === 'other' ? problem.what : (code ?? message);
  return DISBELIEF.test(what)
    ? `${what}: it does not believe the certificate of --tls-listener-cert; ${TELL}`
    : what;
}
