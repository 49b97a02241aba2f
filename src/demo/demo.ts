/**
 * The demo: a Redis Cluster, the control plane, an Envoy, a load, and a live table of who answers what.
 */
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { findEnvoy, findRedis } from './binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from './child-process.ts';
import { startEnvoy, type EnvoyProcess } from './envoy-process.ts';
import { eventually } from './eventually.ts';
import { startLoad, type Load } from './load.ts';
import { localObjects } from './local-objects.ts';
import { RedisCluster } from './redis-cluster.ts';
import { Screen } from './screen.ts';
import type { NodeRow } from './table.ts';
import { between, countsOf, obeys, splitByRole, type Counts } from './traffic.ts';

/** Immediate and short: the point is to see reads move. A real sidecar drains gradually. */
const DRAIN_SECONDS = 3;
const LOOK_MS = 200;
const LOOKS_A_SECOND = 1_000 / LOOK_MS;
const COMMANDS = { read: 'get', write: 'set' };

export interface DemoOptions {
  /** The file with the RedisService, which the user may edit. */
  readonly sample: string;
  /** Where applications would connect; undefined: a free port. */
  readonly port: number | undefined;
  /** Counted from the first command sent; undefined: until stopped. */
  readonly seconds: number | undefined;
  readonly screen: Screen;
  /** Ends the demo early. */
  readonly stop: AbortSignal;
  readonly startControlPlane: (
    configPaths: readonly string[],
  ) => Promise<{ xdsPort: number; close(): Promise<void> }>;
  readonly bootstrap: (xdsPort: number, drainSeconds: number, adminSocketPath: string) => unknown;
}

/** Resolves to whether every command went where it should; leaves no process and no file. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const { screen } = options;
  const opened: (() => Promise<void> | void)[] = [];
  try {
    const progress = (line: string): void => screen.say(`  ${line}`);
    const redis = await findRedis({ progress });
    const envoyBinary = await findEnvoy(progress);
    const cluster = await screen.step(
      `Redis Cluster (${redis.flavour} ${redis.version}): 3 shards, each a primary and 2 replicas`,
      () => RedisCluster.start({ redis }),
    );
    opened.push(() => cluster.stop());

    const port = options.port ?? (await freePorts(1))[0] ?? 0;
    const folder = await temporaryFolder('demo');
    opened.push(() => removeFolder(folder));
    const seed = cluster.nodes[0]?.port ?? 0;
    await writeFile(join(folder, 'cluster.yaml'), localObjects(port, seed));
    const controlPlane = await screen.step(`control plane on ${options.sample}`, () =>
      options.startControlPlane([options.sample, folder]),
    );
    opened.push(() => controlPlane.close());

    const envoy = await screen.step(`Envoy on 127.0.0.1:${port}`, () =>
      startEnvoy({
        binary: envoyBinary,
        configuration: (socketPath) => options.bootstrap(controlPlane.xdsPort, DRAIN_SECONDS, socketPath),
        args: ['--drain-time-s', String(DRAIN_SECONDS), '--drain-strategy', 'immediate'],
      }),
    );
    opened.push(() => envoy.stop());
    await eventually('a listener of Envoy', async () =>
      (await policyInForce(envoy)) === undefined ? undefined : true,
    );

    const load = startLoad(port);
    opened.push(() => load.stop());
    return await new Watch(options, cluster, envoy, load).run();
  } finally {
    screen.release();
    for (const close of opened.reverse()) await close();
  }
}

/** Looks at nodes and Envoy several times a second, shows what it saw, and judges it at the end. */
class Watch {
  readonly #options: DemoOptions;
  readonly #cluster: RedisCluster;
  readonly #envoy: EnvoyProcess;
  readonly #load: Load;
  readonly #first = new Map<number, Counts>();
  readonly #looks: Map<number, Counts>[] = [];
  readonly #events: string[] = [];
  #policy = '';
  #policies = 0;
  #movingSince: number | undefined;

  constructor(options: DemoOptions, cluster: RedisCluster, envoy: EnvoyProcess, load: Load) {
    this.#options = options;
    this.#cluster = cluster;
    this.#envoy = envoy;
    this.#load = load;
  }

  async run(): Promise<boolean> {
    const { seconds, stop, screen } = this.#options;
    await this.#look();
    const start = await eventually('an answer to the first command', () =>
      this.#load.totals().reads > 0 ? Date.now() : undefined,
    );
    let looks = 0;
    while (!stop.aborted && (seconds === undefined || Date.now() - start < seconds * 1_000)) {
      await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => {});
      await this.#look();
      looks += 1;
      if (looks % LOOKS_A_SECOND === 0 && !stop.aborted) this.#show((Date.now() - start) / 1_000);
    }
    this.#load.stop();
    await this.#look();
    screen.release();
    return this.#conclude((Date.now() - start) / 1_000);
  }

  async #look(): Promise<void> {
    const seen = new Map<number, Counts>();
    await Promise.all(
      this.#cluster.nodes.map(async ({ port, client }) => {
        const counts = await countsOf(client, COMMANDS).catch(() => undefined);
        if (counts !== undefined) seen.set(port, counts);
      }),
    );
    for (const [port, counts] of seen) if (!this.#first.has(port)) this.#first.set(port, counts);
    this.#looks.push(seen);
    if (this.#looks.length > LOOKS_A_SECOND + 1) this.#looks.shift();

    const policy = await policyInForce(this.#envoy).catch(() => undefined);
    if (policy !== undefined && policy !== this.#policy) await this.#tellPolicy(policy);
    if (this.#movingSince !== undefined) this.#tellMoved(this.#movingSince);
  }

  async #tellPolicy(policy: string): Promise<void> {
    const before = this.#policy;
    this.#policy = policy;
    this.#policies += 1;
    if (before === '') return;
    const written = (await stat(this.#options.sample).catch(() => undefined))?.mtimeMs ?? Date.now();
    this.#movingSince = written;
    this.#event(`readPolicy ${before} -> ${policy}, in Envoy`);
  }

  /** Reads of the last look alone: earlier ones may still be of the old policy. */
  #tellMoved(since: number): void {
    const [before, after] = this.#looks.slice(-2);
    if (before === undefined || after === undefined) return;
    const split = splitByRole([...after].map(([port, counts]) => between(before.get(port), counts)));
    if (obeys(this.#policy, split) !== true) return;
    this.#movingSince = undefined;
    this.#event(
      `reads follow ${this.#policy} ${((Date.now() - since) / 1_000).toFixed(1)} s after the file was written`,
    );
  }

  #event(text: string): void {
    const line = `${new Date().toTimeString().slice(0, 8)} ${text}`;
    this.#events.push(line);
    if (this.#events.length > 5) this.#events.shift();
    this.#options.screen.event(line);
  }

  #rows(since: ReadonlyMap<number, Counts>): readonly NodeRow[] {
    const now = this.#looks.at(-1) ?? new Map<number, Counts>();
    return [...this.#cluster.nodes]
      .sort((a, b) => a.shard - b.shard || a.port - b.port)
      .map(({ port, shard }) => {
        const counts = now.get(port);
        return {
          name: `127.0.0.1:${port}`,
          shard: shard + 1,
          counts: counts && between(since.get(port), counts),
        };
      });
  }

  #show(elapsed: number): void {
    const { sample, seconds } = this.#options;
    const { errors } = this.#load.totals();
    const failed = errors > 0 ? `, ${errors} errors (${this.#load.lastError()})` : '';
    this.#options.screen.show({
      policy: this.#policy,
      rows: this.#rows(this.#looks[0] ?? new Map()),
      unit: '/s',
      events: this.#events,
      elapsed,
      footer:
        `${Math.round(elapsed)} s${seconds === undefined ? '' : ` of ${seconds}`}${failed}. ` +
        `Edit readPolicy in ${sample}; Ctrl-C ends`,
    });
  }

  #conclude(elapsed: number): boolean {
    const rows = this.#rows(this.#first);
    const split = splitByRole(rows.flatMap(({ counts }) => counts ?? []));
    const { errors } = this.#load.totals();
    const steady = this.#policies === 1;
    const readsRight = !steady || obeys(this.#policy, split) !== false;
    const writesRight = split.writesOnReplicas === 0;
    const verdict = [
      steady
        ? `reads ${readsRight ? 'went' : 'did NOT all go'} where ${this.#policy} sends them`
        : `the policy changed ${this.#policies - 1} times`,
      writesRight ? 'every write reached a primary' : `${split.writesOnReplicas} writes reached a replica`,
      `${errors} errors`,
    ];
    this.#options.screen.summary({
      policy: this.#policy,
      rows,
      unit: '',
      events: [],
      elapsed,
      footer: `${Math.round(elapsed)} s: ${verdict.join('; ')}`,
    });
    return readsRight && writesRight;
  }
}

/** As Envoy has it; undefined while there is no listener. */
async function policyInForce(envoy: EnvoyProcess): Promise<string | undefined> {
  const dump = await envoy.admin('/config_dump?resource=dynamic_listeners');
  const active = (JSON.parse(dump) as { configs?: { active_state?: unknown }[] }).configs?.[0]?.active_state;
  if (active === undefined) return undefined;
  // MASTER is the default, which Envoy leaves out of its dump.
  return /"read_policy":"([A-Z_]+)"/.exec(JSON.stringify(active))?.[1] ?? 'MASTER';
}
