/**
 * What the clients of one namespace use together, so that one of them cannot take what the others need. Certificates say
 * whose a client is; without TLS nobody knows, and only the limits of single streams and of all hold.
 */
import type { Found } from '../tls/identity.ts';
import { type Limits, RequestAllowance } from './limits.ts';

export interface Share {
  readonly namespace: string;
  /** Open now. */
  streams: number;
  readonly allowance: RequestAllowance;
}

export class Shares {
  readonly #limits: Limits;
  /** They stay: who ends all streams and comes again must not begin anew. There are as many as the authorities certify. */
  readonly #shares = new Map<string, Share>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Of one more stream; undefined where it is not known whose it is. */
  open(identity: Found | undefined, nowMs: number): Share | undefined {
    const namespace = identity?.namespace;
    if (namespace === undefined) return undefined;
    let share = this.#shares.get(namespace);
    if (share === undefined) {
      const { namespaceRequestBurst: burst, namespaceRequestsPerSecond: perSecond } = this.#limits;
      share = { namespace, streams: 0, allowance: new RequestAllowance({ burst, perSecond }, nowMs) };
      this.#shares.set(namespace, share);
    }
    share.streams += 1;
    return share;
  }
}
