/**
 * The proxy ends while clients ask: what it took in is answered, and what is not answered was never begun.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { eventually } from '../../../src/demo/eventually.ts';
import type { Proxy } from '../../../src/proxy/proxy.ts';
import type { ChaosCluster } from './cluster.ts';
import type { Ledger } from './ledger.ts';
import { stalledSince } from './stalls.ts';

export const DRAIN_MS = 2_000;
/** For the last replies, and what else takes a moment. */
const MORE_MS = 1_000;

export class Draining {
  hasBegun = false;
  readonly #proxy: Proxy;
  readonly #ledger: Ledger;

  constructor(proxy: Proxy, ledger: Ledger) {
    [this.#proxy, this.#ledger] = [proxy, ledger];
  }

  async after(ms: number): Promise<void> {
    await sleep(ms);
    this.hasBegun = true;
    this.#ledger.note(undefined, '* the proxy ends');
    const since = performance.now();
    await this.#proxy.drain();
    const tookMs = performance.now() - since;
    this.#ledger.note(undefined, '* no client is left');
    if (tookMs > DRAIN_MS + MORE_MS + stalledSince(since))
      this.#ledger.violation(`to answer what was asked took ${Math.round(tookMs)} ms`, []);
    if (this.#proxy.clients > 0)
      this.#ledger.violation(`${this.#proxy.clients} clients are left at the end`, []);
    await this.#proxy.close();
  }

  /** Once nothing happens any more. */
  async over(clusters: readonly ChaosCluster[]): Promise<void> {
    const talks = (): number =>
      clusters.flatMap(({ nodes }) => nodes).reduce((sum, node) => sum + node.talks.size, 0);
    await eventually('no connection to Redis', () => talks() === 0 || undefined).catch((problem: Error) =>
      this.#ledger.violation(problem.message, []),
    );
    this.#ledger.checkUnanswered();
  }
}
