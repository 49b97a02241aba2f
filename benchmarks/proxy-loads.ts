/**
 * What `proxy` puts on each target: the same for all, through redis-benchmark and at a fixed rate.
 */
import { runAtFixedRate } from './fixed-rate.ts';
import { median } from './free-connections.ts';
import { runRedisBenchmark, type Seen } from './redis-benchmark.ts';

export interface ProxyLoad {
  readonly name: string;
  run(port: number): Promise<Seen>;
}

export interface LoadChoice {
  readonly commands: readonly string[];
  readonly pipelines: readonly number[];
  readonly clients: readonly number[];
  readonly bytes: readonly number[];
  /** How long a run is, 1: about a second before Envoy on a quiet machine. */
  readonly scale: number;
}

const KEY = 'key:__rand_int__';
const TEN = Array.from({ length: 10 }, () => KEY);
const COMMANDS: Readonly<Record<string, (value: string) => readonly string[]>> = {
  GET: () => ['GET', KEY],
  SET: (value) => ['SET', KEY, value],
  MGET: () => ['MGET', ...TEN],
  MSET: (value) => ['MSET', ...TEN.flatMap((key) => [key, value])],
};

/** By command: so many unpipelined, and so many in pipelines. */
const COUNTS: Readonly<Record<string, readonly [number, number]>> = {
  GET: [40_000, 200_000],
  SET: [40_000, 200_000],
  MGET: [20_000, 40_000],
  MSET: [15_000, 40_000],
};

const LARGE_BYTES = 1_024;

export function closedLoads({ commands, pipelines, clients, bytes, scale }: LoadChoice): ProxyLoad[] {
  const loads: ProxyLoad[] = [];
  for (const size of bytes) {
    for (const many of clients) {
      for (const name of commands) {
        for (const pipeline of pipelines) {
          const value = 'x'.repeat(size);
          const command = COMMANDS[name]?.(value);
          const counts = COUNTS[name];
          if (command === undefined || counts === undefined) throw new Error(`there is no load ${name}`);
          const share = size < LARGE_BYTES ? scale : scale / 4;
          const count = Math.round(counts[pipeline === 1 ? 0 : 1] * share);
          const load = { command, pipeline, clients: many, bytes: size, commands: count };
          loads.push({
            name:
              `${name}${pipeline === 1 ? '' : `, pipeline ${pipeline}`}` +
              `${many === 50 ? '' : `, ${many} clients`}${size === 3 ? '' : `, ${size} B`}`,
            run: (port) => runRedisBenchmark(port, load),
          });
        }
      }
    }
  }
  return loads;
}

export function fixedLoad(perSecond: number, seconds: number): ProxyLoad {
  return {
    name: `GET at ${perSecond.toLocaleString('en')}/s`,
    run: (port) => runAtFixedRate(port, { perSecond, seconds, clients: 50 }),
  };
}

const BUSY = 0.9;
const TRIES = 5;

/** So many GETs a second that what listens on `port` is busy: nine tenths of what it answers at most, in thousands. */
export async function busyRate(port: number): Promise<number> {
  const load = { command: COMMANDS['GET']?.('') ?? [], pipeline: 1, clients: 50, bytes: 3, commands: 40_000 };
  const seen: number[] = [];
  for (let count = 0; count < TRIES; count++) seen.push((await runRedisBenchmark(port, load)).perSecond);
  return Math.floor((median(seen) * BUSY) / 1_000) * 1_000;
}

/** Every key has a value of `bytes` afterwards, the caches are warm, the code is compiled. */
export async function warmUp(port: number, bytes: number): Promise<void> {
  const value = 'x'.repeat(bytes);
  const common = { clients: 50, bytes };
  await runRedisBenchmark(port, { ...common, command: ['SET', KEY, value], pipeline: 16, commands: 200_000 });
  const multi = COMMANDS['MSET']?.(value) ?? [];
  await runRedisBenchmark(port, { ...common, command: multi, pipeline: 16, commands: 20_000 });
  await runRedisBenchmark(port, { ...common, command: ['GET', KEY], pipeline: 1, commands: 30_000 });
}
