/**
 * Says once that a server does not let the proxy in, and once that it does again; where that goes back and forth, at most
 * once a minute.
 */
import type { Logger } from 'pino';

const EVERY_MS = 60_000;

export const LOGIN_REMEDY =
  'give the password that it wants, and whose it is (--upstream-password-file and --upstream-username, or auth in its RedisDestination)';

export class LoginLog {
  readonly #address: string;
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  #said: string | undefined;
  #saidAt = -Infinity;

  constructor(address: string, log: Pick<Logger, 'info' | 'warn'>) {
    this.#address = address;
    this.#log = log;
  }

  /** `refusal`: in the server's words, which have no password in them; undefined: it lets us in. Call it often. */
  tell(refusal: string | undefined, now = performance.now()): void {
    if (refusal === this.#said || (this.#said === undefined && now - this.#saidAt < EVERY_MS)) return;
    this.#said = refusal;
    this.#saidAt = now;
    if (refusal === undefined) this.#log.info(`${this.#address} lets the proxy in again`);
    else
      this.#log.warn(
        `${this.#address} does not let the proxy in (${refusal.replace(/\.$/, '')}); ${LOGIN_REMEDY}`,
      );
  }
}
