/**
 * Counts the clients of all listeners, and of other workers as far as they are known; more than are allowed are turned away.
 */
import type { Socket } from 'node:net';

import type { Logger } from 'pino';

import { plainAddress } from '../../api/host-port.ts';
import { OnceAMinute } from './once-a-minute.ts';

/** From where on, and how far apart: several workers give different ones. */
interface ClientIds {
  readonly first: number;
  readonly step: number;
}

export interface ClientLimits {
  readonly maxClients: number;
  /** Without those of other workers, as many as files may be open for; undefined: any number. */
  readonly maxOwnClients?: number | undefined;
  /** Where several workers give them. */
  readonly ids?: ClientIds | undefined;
}

export class ClientCount {
  readonly #max: number;
  readonly #maxOwn: number;
  readonly #idStep: number;
  readonly #log: Pick<Logger, 'warn'>;
  readonly #told = new OnceAMinute();
  #nextId: number;
  #count = 0;
  /** Who was turned away and has not gone yet. */
  #leaving = 0;
  /** Clients of other workers. */
  others = 0;
  /** Those that were turned away so far. */
  refused = 0;
  /** Told of each change. */
  onChange: (count: number) => void = () => {};

  constructor({ maxClients, maxOwnClients, ids }: ClientLimits, log: Pick<Logger, 'warn'>) {
    this.#max = maxClients;
    this.#maxOwn = maxOwnClients ?? Infinity;
    this.#log = log;
    this.#nextId = ids?.first ?? 1;
    this.#idStep = ids?.step ?? 1;
  }

  get count(): number {
    return this.#count;
  }

  newId(): number {
    const id = this.#nextId;
    this.#nextId += this.#idStep;
    return id;
  }

  /** False: there are too many. */
  enter(socket: Pick<Socket, 'remoteAddress'>): boolean {
    if (this.#count >= this.#maxOwn || this.#count + this.others >= this.#max) {
      this.refused += 1;
      this.#tellRefused(socket);
      return false;
    }
    this.#count += 1;
    this.onChange(this.#count);
    return true;
  }

  leave(): void {
    this.#count -= 1;
    this.onChange(this.#count);
  }

  /** Of one that was turned away: false where it can't stay until it has read why, since it would have a file that Redis needs. */
  mayLinger(socket: Pick<Socket, 'once'>): boolean {
    if (this.#count + this.#leaving >= this.#maxOwn) return false;
    this.#leaving += 1;
    socket.once('close', () => {
      this.#leaving -= 1;
    });
    return true;
  }

  #tellRefused({ remoteAddress = 'gone' }: Pick<Socket, 'remoteAddress'>): void {
    const untold = this.#told.due('');
    if (untold === undefined) return;
    const others = untold === 0 ? '' : `, and so were ${untold} others since that was last told`;
    const remedy = this.#count < this.#maxOwn ? 'raise --max-clients' : 'let more files be open (ulimit -Hn)';
    this.#log.warn(
      `a client was turned away (${plainAddress(remoteAddress)})${others}: there are ${this.#count + this.others} already; ` +
        `${remedy}, or find who opens connections and does not close them`,
    );
  }
}
