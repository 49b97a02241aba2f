/**
 * Faults of a listener: which command fails or is late, drawn as Envoy draws.
 */
import type { Fault } from '../../api/objects.ts';

export class Faults {
  readonly #general: readonly Fault[];
  readonly #byCommand = new Map<string, readonly Fault[]>();

  constructor(faults: readonly Fault[]) {
    this.#general = faults.filter(({ commands }) => commands.length === 0);
    for (const name of new Set(faults.flatMap(({ commands }) => commands))) {
      // Its own first, then those of all.
      const own = faults.filter(({ commands }) => commands.includes(name));
      this.#byCommand.set(name, [...own, ...this.#general]);
    }
  }

  /** At most one; `random` in [0, 1). */
  draw(command: string, random: number): Fault | undefined {
    let sum = 0;
    for (const fault of this.#byCommand.get(command) ?? this.#general) {
      sum += fault.percentage;
      if (random * 100 < sum) return fault;
    }
    return undefined;
  }
}
