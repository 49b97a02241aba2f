/**
 * Who of several replicas writes: the one that holds the Lease.
 *
 * The algorithm of client-go's leader election. Whether another's Lease has run out is judged by our own monotonic clock
 * since we saw it change, never by the times in it; and whoever could not renew in time stops before others may start.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { ApiError, reasonOf } from '../sources/kubernetes/api-error.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';

export interface LeaseOptions {
  readonly api: Pick<ApiServer, 'request'>;
  readonly namespace: string;
  readonly name: string;
  /** Of this replica, not the same after a restart. */
  readonly identity: string;
  /** It was won or lost. */
  readonly onChange: (isHeld: boolean) => void;
  readonly log: { info(message: string): void; warn(message: string): void };
}

/** Others may take it this long after the last renewal that they saw. */
const DURATION_MS = 15_000;
/** We count it as lost this long after our last renewal. */
const DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;

interface LeaseObject {
  readonly metadata: { readonly resourceVersion?: string };
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number;
    readonly leaseTransitions?: number;
    readonly renewTime?: string;
    readonly acquireTime?: string;
  };
}

export class Lease {
  readonly #options: LeaseOptions;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** When the request of our last renewal was sent. */
  #renewedMs = Number.NEGATIVE_INFINITY;
  #seen: { readonly version: string | undefined; readonly atMs: number } | undefined;
  #wasHeld = false;
  #problem = '';

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** To be asked before each write: a process may have been stopped for a while. */
  get isHeld(): boolean {
    return performance.now() - this.#renewedMs < DEADLINE_MS;
  }

  /** Gives it up, so that another need not wait. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    if (!this.isHeld) return;
    this.#renewedMs = Number.NEGATIVE_INFINITY;
    try {
      const lease = await this.#read();
      if (lease?.spec?.holderIdentity !== this.#options.identity) return;
      await this.#write('PUT', {
        ...lease,
        spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 },
      });
    } catch {
      // It runs out by itself.
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#tryOnce();
        this.#problem = '';
      } catch (error) {
        const why = reasonOf(error);
        const isRace = error instanceof ApiError && error.status === 409;
        if (!isRace && why !== this.#problem && !this.#stopped.signal.aborted) {
          this.#problem = why;
          this.#options.log.warn(`${this.#name}: ${why}; without it no status is written`);
        }
      }
      this.#tell();
      const wait = RETRY_MS * (1 + Math.random() * 0.2);
      await sleep(wait, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  async #tryOnce(): Promise<void> {
    const sentMs = performance.now();
    const lease = await this.#read();
    const { identity } = this.#options;
    const now = microTime();
    const mine = { holderIdentity: identity, leaseDurationSeconds: DURATION_MS / 1_000, renewTime: now };
    if (lease === undefined) {
      await this.#write('POST', {
        metadata: { name: this.#options.name, namespace: this.#options.namespace },
        spec: { ...mine, acquireTime: now, leaseTransitions: 0 },
      });
    } else if (lease.spec?.holderIdentity === identity) {
      await this.#write('PUT', { ...lease, spec: { ...lease.spec, ...mine } });
    } else {
      if (!this.#hasRunOut(lease)) return;
      const leaseTransitions = (lease.spec?.leaseTransitions ?? 0) + 1;
      await this.#write('PUT', { ...lease, spec: { ...mine, acquireTime: now, leaseTransitions } });
    }
    this.#renewedMs = sentMs;
  }

  #hasRunOut({ metadata, spec }: LeaseObject): boolean {
    const version = metadata.resourceVersion;
    const nowMs = performance.now();
    if (this.#seen?.version !== version) this.#seen = { version, atMs: nowMs };
    if ((spec?.holderIdentity ?? '') === '') return true;
    return nowMs - (this.#seen?.atMs ?? nowMs) >= (spec?.leaseDurationSeconds ?? 0) * 1_000;
  }

  async #read(): Promise<LeaseObject | undefined> {
    try {
      return (await this.#options.api.request(`${this.#collection}/${this.#options.name}`)) as LeaseObject;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #write(method: 'POST' | 'PUT', lease: object): Promise<void> {
    const path = method === 'POST' ? this.#collection : `${this.#collection}/${this.#options.name}`;
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', ...lease };
    await this.#options.api.request(path, { method, body });
  }

  #tell(): void {
    const { isHeld } = this;
    if (isHeld === this.#wasHeld) return;
    this.#wasHeld = isHeld;
    this.#options.log.info(
      isHeld ? `${this.#name} is held: this replica writes the status` : `${this.#name} is held no longer`,
    );
    this.#options.onChange(isHeld);
  }

  get #collection(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
  }

  get #name(): string {
    return `Lease ${this.#options.namespace}/${this.#options.name}`;
  }
}

function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
