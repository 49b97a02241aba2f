/**
 * What several workers count, added up. Nothing that was counted goes away again with a worker that ends, or that does not
 * answer in time: Prometheus would take all the others have counted for new.
 */
import { AggregatorRegistry } from 'prom-client';

import type { WorkerReport } from './workers.ts';

type Metrics = readonly object[];
type Report = Pick<WorkerReport, 'pid' | 'metrics'>;

export class WorkerMetrics {
  /** What each said last, by number. */
  readonly #last = new Map<number, Report>();
  /** Of workers that others have taken the place of. */
  #ended: Promise<Metrics> = Promise.resolve([]);

  note(number: number, { pid, metrics }: Report): void {
    const before = this.#last.get(number);
    if (before !== undefined && before.pid !== pid) this.#keep(counted(before.metrics));
    this.#last.set(number, { pid, metrics });
  }

  #keep(metrics: Metrics): void {
    this.#ended = this.#ended.then((others) => add([others, metrics]).getMetricsAsJSON());
  }

  /** Of these, by number, which were noted, and of the others what they had counted. */
  async text(reports: ReadonlyMap<number, Report>): Promise<string> {
    const all = [...this.#last].map(([number, { metrics }]) =>
      reports.has(number) ? metrics : counted(metrics),
    );
    return await add([...all, await this.#ended]).metrics();
  }
}

function add(all: readonly Metrics[]): ReturnType<typeof AggregatorRegistry.aggregate> {
  return AggregatorRegistry.aggregate(all.map((metrics) => [...metrics]));
}

/** Without what is so at a moment. */
function counted(metrics: Metrics): Metrics {
  return metrics.filter((metric) => !('type' in metric) || metric.type !== 'gauge');
}
