/**
 * An object that is edited after, or together with, what a test is about. When Envoy has its edit, Envoy has had
 * everything before it too, whether it took it or not: silence is no longer just being early.
 */
import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { documents, redisDestination, redisService } from './objects.ts';
import type { Sidecar } from './sidecar.ts';

const NAME = 'fence.localhost';

export class Fence {
  readonly #address: string;
  readonly listener = `${NAME}:6379`;
  /** Of its opTimeout, by which its edits are told apart; longer than any other. */
  #seconds = 1_000;

  private constructor(port: number) {
    this.#address = `127.0.0.1:${port}`;
  }

  static async create(): Promise<Fence> {
    const [port = 0] = await freePorts(1);
    return new Fence(port);
  }

  /** The next edit. */
  objects(): string {
    this.#seconds += 1;
    return documents(
      redisService({
        name: NAME,
        settings: { opTimeout: `${this.#seconds}s` },
        annotations: { listen: this.#address },
      }),
      redisDestination({ name: NAME, mode: 'PROXY' }),
    );
  }

  /** Fails with what the control plane knows of Envoy, and what both have of the fence. */
  async passed({ envoy, controlPlane }: Pick<Sidecar, 'envoy' | 'controlPlane'>): Promise<void> {
    const edit = `${this.#seconds}s`;
    try {
      await eventually('the edit of the fence in Envoy', async () =>
        (await envoy.admin('/config_dump')).includes(`"op_timeout": "${edit}"`) ? true : undefined,
      );
    } catch (error) {
      const ask = async (path: string): Promise<string> =>
        (await fetch(`http://${controlPlane.adminAddress}${path}`)).text();
      const served = (await ask('/config_dump')).includes(edit) ? 'served' : 'not served';
      throw new Error(`the edit is ${served}: ${await ask('/debug/syncz')}`, { cause: error });
    }
  }
}
