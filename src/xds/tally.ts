/**
 * A counter for what happens with every message.
 *
 * prom-client makes a text and several objects of the labels each time it counts: a tenth of what a change costs for a
 * stream. So it is told when somebody asks.
 */
import { Counter, type CounterConfiguration } from 'prom-client';

export class Tally {
  readonly #labelNames: readonly string[];
  /** Not told yet, by the first label and then by the second. */
  readonly #counts = new Map<string, Map<string, number>>();

  constructor(configuration: CounterConfiguration<string>) {
    this.#labelNames = configuration.labelNames ?? [];
    const tell = (counter: Counter): void => this.#tell(counter);
    // Registers itself.
    void new Counter({
      ...configuration,
      collect() {
        tell(this);
      },
    });
  }

  add(value: number, label: string, second = ''): void {
    let counts = this.#counts.get(label);
    if (counts === undefined) {
      counts = new Map();
      this.#counts.set(label, counts);
    }
    counts.set(second, (counts.get(second) ?? 0) + value);
  }

  #tell(counter: Counter): void {
    for (const [label, counts] of this.#counts) {
      for (const [second, value] of counts) counter.inc(this.#labels([label, second]), value);
    }
    this.#counts.clear();
  }

  #labels(values: readonly string[]): Record<string, string> {
    return Object.fromEntries(this.#labelNames.map((name, index) => [name, values[index] ?? '']));
  }
}
