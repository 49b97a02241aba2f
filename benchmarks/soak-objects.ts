/**
 * The objects of the soak: a host that a real Redis Cluster stands behind, many others, and a change for each turn.
 */
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { POLICIES, hostObjects } from '../test/e2e/objects.ts';

export const REAL_HOST = 'redis-cluster';
/** A port where no Redis is: nobody asks these. */
const NOBODY = 1;

/** A file for each host. */
export class SoakObjects {
  readonly #folder: string;
  readonly #seed: number;
  readonly #port: number;
  readonly #ports: readonly number[];

  constructor(options: {
    readonly folder: string;
    readonly seed: number;
    readonly port: number;
    readonly ports: readonly number[];
  }) {
    const { folder, seed, port, ports } = options;
    [this.#folder, this.#seed, this.#port, this.#ports] = [folder, seed, port, ports];
  }

  get count(): number {
    return this.#ports.length + 1;
  }

  async writeAll(): Promise<void> {
    await this.#writeReal(0);
    for (const index of this.#ports.keys()) await this.#writeHost(index, 0);
  }

  /** Whether streams hear of it. */
  async change(turn: number): Promise<boolean> {
    // Shifted each time around, so that every host meets every kind of change.
    const index = (turn + Math.floor(turn / this.#ports.length)) % this.#ports.length;
    const path = join(this.#folder, `host-${index}.yaml`);
    switch (turn % 10) {
      case 0:
        await this.#writeReal(turn / 10);
        return true;
      case 3:
        await rm(path, { force: true });
        return true;
      case 6:
        await this.#replace(path, 'kind: RedisService\nspec: [\n');
        return false;
      default:
        await this.#writeHost(index, turn);
        return true;
    }
  }

  async #writeReal(turn: number): Promise<void> {
    const readPolicy = POLICIES[turn % POLICIES.length];
    const text = hostObjects({
      name: REAL_HOST,
      port: this.#port,
      endpoints: [this.#seed],
      mode: 'CLUSTER',
      settings: { readPolicy },
    });
    await this.#replace(join(this.#folder, 'real.yaml'), text);
  }

  async #writeHost(index: number, turn: number): Promise<void> {
    const text = hostObjects({
      name: `host-${index}`,
      port: this.#ports[index] ?? 0,
      endpoints: [NOBODY],
      mode: turn % 20 < 10 ? 'CLUSTER' : 'PROXY',
      settings: { readPolicy: POLICIES[turn % POLICIES.length], opTimeout: `${1 + (turn % 9)}s` },
    });
    await this.#replace(join(this.#folder, `host-${index}.yaml`), text);
  }

  async #replace(path: string, text: string): Promise<void> {
    // A name that is not read, until it is complete.
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
}
