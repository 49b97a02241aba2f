/**
 * What listens where. An address that can't be had costs its listener only, and is tried again: whoever has it may end at any
 * time.
 */
import type { Logger } from 'pino';

import { addressOf } from '../api/host-port.ts';
import type { Listener, ListenerId, RoutingPlan, SocketAddress } from '../plan/routing-plan.ts';
import type { Listening } from './listening.ts';
import type { Routing } from './client/routing.ts';

const AGAIN_MS = 1_000;

const NOTHING_LISTENS =
  'nothing listens: no RedisService governs this proxy; see what redpilot validate says of the objects, and look at --namespace and --hosts';

type Bound = RoutingPlan['listeners'][number];

type Missing = Bound & { readonly problem: string };

export interface ListenersOptions {
  /** Fails with one line that names the address. */
  readonly open: (bind: SocketAddress, routing: Routing) => Promise<Listening>;
  readonly routing: (listener: Listener) => Routing;
  readonly drainMs: number;
  readonly log: Logger;
}

export class Listeners {
  readonly #options: ListenersOptions;
  /** By the plan's address, as all of these. */
  readonly #listening = new Map<string, Listening>();
  /** Those that were removed, while their clients get what they have asked for. */
  readonly #closing = new Set<Promise<void>>();
  #wanted: ReadonlySet<string> = new Set();
  #missing = new Map<string, Missing>();
  #isUpdating = false;
  /** No listener is wanted, and the log says so. */
  #isEmpty = false;
  /** Those that are missing are being tried again. */
  #again: Promise<void> | undefined;
  #triedAt = 0;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  all(): Iterable<Listening> {
    return this.#listening.values();
  }

  addresses(): ReadonlyMap<string, string> {
    return new Map([...this.#listening].map(([planned, { address }]) => [planned, address]));
  }

  missing(): Iterable<Bound> {
    return this.#missing.values();
  }

  /** Why a listener is not where it should be. */
  problems(): ReadonlyMap<ListenerId, string> {
    return new Map(Array.from(this.#missing.values(), ({ listener, problem }) => [listener.id, problem]));
  }

  /** Returns its problems. Not to be called again before it has. */
  async update(listeners: readonly Bound[]): Promise<ReadonlyMap<ListenerId, string>> {
    this.#isUpdating = true;
    try {
      await this.#again;
      await this.#follow(listeners);
      this.#tellEmpty(listeners.length === 0);
    } finally {
      this.#isUpdating = false;
    }
    return this.problems();
  }

  /** Ready as it is, nobody can connect: more often a name that is misspelt than what somebody wants. */
  #tellEmpty(isEmpty: boolean): void {
    if (isEmpty && !this.#isEmpty) this.#options.log.warn(NOTHING_LISTENS);
    this.#isEmpty = isEmpty;
  }

  async #follow(listeners: readonly Bound[]): Promise<void> {
    const missing = new Map<string, Missing>();
    const wanted = new Set<string>();
    for (const bound of listeners) {
      const planned = addressOf(bound.bind.address, bound.bind.port);
      wanted.add(planned);
      const existing = this.#listening.get(planned);
      if (existing !== undefined) {
        existing.reroute(this.#options.routing(bound.listener));
        continue;
      }
      const problem = await this.#listen(planned, bound);
      if (problem !== undefined) missing.set(planned, { ...bound, problem });
    }
    this.#wanted = wanted;
    this.#missing = missing;
    this.#closeUnwanted();
  }

  /** Returns why not. */
  async #listen(planned: string, { bind, listener }: Bound): Promise<string | undefined> {
    const { open, routing, log } = this.#options;
    try {
      const listening = await open(bind, routing(listener));
      this.#listening.set(planned, listening);
      log.info(`${listener.id} listens on ${listening.address}`);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** A listener that is wanted elsewhere, and can't be there, stays where it was. */
  #closeUnwanted(): void {
    const { routing, drainMs, log } = this.#options;
    const kept = new Map(Array.from(this.#missing.values(), ({ listener }) => [listener.id, listener]));
    for (const [planned, listening] of this.#listening) {
      if (this.#wanted.has(planned)) continue;
      const { id } = listening.routing.listener;
      const now = kept.get(id);
      if (now !== undefined) {
        listening.reroute(routing(now));
        continue;
      }
      this.#listening.delete(planned);
      log.info(`${id} no longer listens on ${listening.address}`);
      const closed = listening.close(drainMs).finally(() => this.#closing.delete(closed));
      this.#closing.add(closed);
    }
  }

  /** Several times a second. */
  tick(now: number): void {
    if (this.#missing.size === 0 || this.#isUpdating || now - this.#triedAt < AGAIN_MS) return;
    if (this.#again !== undefined) return;
    this.#triedAt = now;
    this.#again = this.#tryAgain().finally(() => {
      this.#again = undefined;
    });
  }

  async #tryAgain(): Promise<void> {
    for (const [planned, bound] of this.#missing)
      if ((await this.#listen(planned, bound)) === undefined) this.#missing.delete(planned);
    this.#closeUnwanted();
  }

  async close(): Promise<void> {
    // Nobody tries again from now on.
    this.#isUpdating = true;
    await this.#again;
    const all = [...this.#listening.values()].map((each) => each.close(this.#options.drainMs));
    await Promise.all([...all, ...this.#closing]);
  }
}
