/**
 * Looks at the nodes and at Envoy several times a second, shows what it saw, and concludes from it at the end.
 */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Redis } from 'ioredis';

import type { Address } from './envoy-admin.ts';
import { eventually } from './eventually.ts';
import type { Load } from './load.ts';
import type { Screen } from './screen.ts';
import type { NodeRow } from './table.ts';
import { between, countsOf, splitByRole, type Counts } from './traffic.ts';
import { Verdict } from './verdict.ts';

const LOOK_MS = 200;
const LOOKS_A_SECOND = 1_000 / LOOK_MS;
const COMMANDS = { read: 'get', write: 'set' };

export interface WatchedNode {
  /** `HOST:PORT` */
  readonly name: string;
  /** Counted from 0. */
  readonly shard: number;
  readonly client: Redis;
}

/** What the demo looks at: started for it (local-servers.ts), or running already (running-servers.ts). */
export interface Servers {
  readonly nodes: readonly WatchedNode[];
  readonly dataPlane: DataPlane;
}

/** What stands between applications and Redis. */
export interface DataPlane {
  readonly name: 'Envoy' | 'the proxy';
  /** Where it listens for applications. */
  readonly address: Address;
  /** As it has it; undefined while there is no listener. */
  readonly policyInForce: () => Promise<string | undefined>;
}

type CountsByName = ReadonlyMap<string, Counts>;

export interface WatchOptions extends Servers {
  readonly load: Load;
  readonly screen: Screen;
  /** The file that the user may edit. */
  readonly sample: string;
  /** Counted from the first command; undefined: until stopped. */
  readonly seconds: number | undefined;
  readonly drainSeconds: number;
  readonly stop: AbortSignal;
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #verdict: Verdict;
  /** Of each node when it was first seen. */
  readonly #first = new Map<string, Counts>();
  /** The looks of the last second, and the one before them. */
  readonly #looks: CountsByName[] = [];
  #policy = '';
  #writtenAt = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    // A second more: looks are apart, and the machine may be busy.
    this.#verdict = new Verdict((options.drainSeconds + 1) * 1_000);
  }

  /** Resolves to whether every command went where it should. */
  async run(): Promise<boolean> {
    const { seconds, stop, load } = this.#options;
    await this.#look();
    const start = await eventually('an answer to the first command', () => {
      const { reads, errors } = load.totals();
      if (stop.aborted) return Date.now();
      if (reads === 0 && errors > 0) throw new Error(load.lastError());
      return reads > 0 ? Date.now() : undefined;
    });
    const end = seconds === undefined ? Number.POSITIVE_INFINITY : start + seconds * 1_000;
    let looks = 0;
    while (!stop.aborted && Date.now() < end) {
      looks += 1;
      // At fixed times: on a busy machine a look takes long, and five of them are to be a second nevertheless.
      const untilNext = Math.max(0, start + looks * LOOK_MS - Date.now());
      await sleep(untilNext, undefined, { signal: stop }).catch(() => {});
      await this.#look();
      if (looks % LOOKS_A_SECOND === 0 && !stop.aborted) this.#show((Date.now() - start) / 1_000);
    }
    await load.stop();
    await this.#look();
    return this.#conclude((Date.now() - start) / 1_000);
  }

  async #look(): Promise<void> {
    const { nodes, dataPlane } = this.#options;
    const seen = new Map<string, Counts>();
    await Promise.all(
      nodes.map(async ({ name, client }) => {
        const counts = await countsOf(client, COMMANDS).catch(() => undefined);
        if (counts !== undefined) seen.set(name, counts);
      }),
    );
    for (const [name, counts] of seen) if (!this.#first.has(name)) this.#first.set(name, counts);
    const before = this.#looks.at(-1);
    this.#looks.push(seen);
    if (this.#looks.length > LOOKS_A_SECOND + 1) this.#looks.shift();

    // One that does not say has the policy that it had.
    this.#policy = (await dataPlane.policyInForce().catch(() => undefined)) ?? this.#policy;
    if (before === undefined) return;
    const happenings = this.#verdict.look({
      at: Date.now(),
      policy: this.#policy,
      split: splitByRole([...seen].map(([name, counts]) => between(before.get(name), counts))),
      everyNodeAnswers: seen.size === nodes.length,
    });
    for (const happening of happenings) {
      if (happening.kind === 'changed') await this.#tellChange(happening.from, happening.to);
      else this.#tellFollowed(happening.policy);
    }
  }

  async #tellChange(from: string, to: string): Promise<void> {
    const { sample, screen, dataPlane } = this.#options;
    this.#writtenAt = (await stat(sample).catch(() => undefined))?.mtimeMs ?? Date.now();
    screen.event(`readPolicy ${from} -> ${to}, in ${dataPlane.name}`);
  }

  #tellFollowed(policy: string): void {
    const seconds = ((Date.now() - this.#writtenAt) / 1_000).toFixed(1);
    this.#options.screen.event(`reads follow ${policy} ${seconds} s after the file was written`);
  }

  #rows(since: CountsByName): readonly NodeRow[] {
    const now = this.#looks.at(-1) ?? new Map<string, Counts>();
    return [...this.#options.nodes]
      .sort((a, b) => a.shard - b.shard || a.name.localeCompare(b.name, 'en', { numeric: true }))
      .map(({ name, shard }) => {
        const counts = now.get(name);
        return { name, shard: shard + 1, counts: counts && between(since.get(name), counts) };
      });
  }

  #show(elapsed: number): void {
    const { sample, seconds, load, screen } = this.#options;
    const { errors } = load.totals();
    const failed = errors > 0 ? `, ${errors} errors (${load.lastError()})` : '';
    screen.show({
      policy: this.#policy,
      rows: this.#rows(this.#looks[0] ?? new Map()),
      unit: '/s',
      elapsed,
      footer:
        `${Math.round(elapsed)} s${seconds === undefined ? '' : ` of ${seconds}`}${failed}. ` +
        `Edit readPolicy in ${sample}; Ctrl-C ends`,
    });
  }

  #conclude(elapsed: number): boolean {
    const { load, screen } = this.#options;
    const rows = this.#rows(this.#first);
    const split = splitByRole(rows.flatMap(({ counts }) => counts ?? []));
    const { errors } = load.totals();
    const { misplaced, changes, neverFollowed } = this.#verdict.conclude(Date.now());
    const noReads = split.readsOnPrimaries + split.readsOnReplicas === 0;

    const faults: string[] = [];
    if (noReads) faults.push('no read reached a node');
    if (misplaced > 0) faults.push(`${misplaced} reads did NOT go where readPolicy sends them`);
    if (neverFollowed) faults.push(`reads did NOT follow ${this.#policy}`);
    if (split.writesOnPrimaries === 0) faults.push('no write reached a primary');
    if (split.writesOnReplicas > 0) faults.push(`${split.writesOnReplicas} writes reached a replica`);
    if (errors > 0) faults.push(`${errors} commands failed (${load.lastError()})`);
    const changed = changes === 0 ? '' : ` (changed ${changes === 1 ? 'once' : `${changes} times`})`;
    const fine = `every read went where readPolicy${changed} sends it; every write reached a primary; 0 errors`;
    screen.summary({
      policy: this.#policy,
      rows,
      unit: '',
      elapsed,
      footer: `${Math.round(elapsed)} s: ${faults.length === 0 ? fine : faults.join('; ')}`,
    });
    return faults.length === 0;
  }
}
