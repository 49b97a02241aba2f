/**
 * Minutes of changes before hundreds of streams: does the memory of the control plane grow, does a stream miss a change,
 * does a client of a real Envoy see an error (`npm run soak -- --minutes 10`).
 *
 * The control plane is a process of its own. Four changes a second, or one every `--every` seconds: edits of policies and upstreams, objects that go and
 * come back, YAML mistakes and their repair; now and then a stream that ends and another that begins.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Redis } from 'ioredis';

import { findEnvoy, findRedis } from '../src/demo/binaries.ts';
import { freePorts, removeFolder, startProcess, temporaryFolder } from '../src/demo/child-process.ts';
import { startEnvoy, type EnvoyProcess } from '../src/demo/envoy-process.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { bootstrap } from '../src/envoy/bootstrap.ts';
import { errorsOf, startIoredis } from '../test/e2e/client-loads.ts';
import { median } from './free-connections.ts';
import { SimulatedSidecar } from './simulated-sidecar.ts';
import { REAL_HOST, SoakObjects } from './soak-objects.ts';
import { soakChaos } from './soak-chaos.ts';
import { soakProxy } from './soak-proxy.ts';

const PROGRESS_MS = 10_000;
const SAMPLE_MS = 1_000;
const DRAIN_SECONDS = 3;

interface Options {
  readonly minutes: number;
  readonly streams: number;
  readonly hosts: number;
  /** Seconds between two changes. */
  readonly every: number;
}

export async function run(args: readonly string[]): Promise<void> {
  if (args[0] === 'proxy') return await soakProxy(args.slice(1));
  if (args[0] === 'chaos') return await soakChaos(args.slice(1));
  const options = parse(args);
  const ends: (() => Promise<void> | void)[] = [];
  try {
    const problems = await soak(options, (end) => void ends.push(end));
    process.stdout.write(problems.length === 0 ? 'fine\n' : `not fine: ${problems.join('; ')}\n`);
    process.exitCode = problems.length === 0 ? 0 : 1;
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

function parse(args: readonly string[]): Options {
  const defaults = { minutes: '5', streams: '300', hosts: '50', every: '0.25' };
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: defaults.minutes },
      streams: { type: 'string', default: defaults.streams },
      hosts: { type: 'string', default: defaults.hosts },
      every: { type: 'string', default: defaults.every },
    },
  });
  const positive = (name: keyof Options): number => {
    const value = Number(values[name]);
    if (!(value > 0)) throw new TypeError(`--${name} needs a number over 0, such as ${defaults[name]}`);
    return value;
  };
  return {
    minutes: positive('minutes'),
    streams: positive('streams'),
    hosts: positive('hosts'),
    every: positive('every'),
  };
}

async function soak(
  { minutes, streams, hosts, every }: Options,
  after: (end: () => Promise<void> | void) => void,
): Promise<readonly string[]> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const binary = await findEnvoy(say);
  const cluster = await RedisCluster.start({ redis: await findRedis({ progress: say }) });
  after(() => cluster.stop());
  const folder = await temporaryFolder('soak');
  after(() => removeFolder(folder));
  const [port = 0, xdsPort = 0, adminPort = 0, ...ports] = await freePorts(3 + hosts);
  const objects = new SoakObjects({ folder, seed: cluster.nodes[0]?.port ?? 0, port, ports });
  await objects.writeAll();

  const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
  const addresses = ['--xds-address', `127.0.0.1:${xdsPort}`, '--admin-address', `127.0.0.1:${adminPort}`];
  const serve = [cli, 'serve', '--config', folder, '--log-level', 'silent', ...addresses];
  const controlPlane = await startProcess(process.execPath, serve);
  after(() => controlPlane.stop());
  await eventually(
    'the control plane ready',
    async () => ((await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok ? true : undefined),
    { deadlineMs: 30_000, seen: controlPlane.lastLines },
  );
  const envoys: EnvoyProcess[] = [];
  for (const [index, delta] of [true, false].entries()) {
    const envoy = await startEnvoy({
      binary,
      args: ['--drain-time-s', String(DRAIN_SECONDS), '--drain-strategy', 'immediate'],
      configuration: (socketPath) =>
        bootstrap({
          xdsAddress: { host: '127.0.0.1', port: xdsPort },
          nodeId: `envoy-${index}`,
          hosts: [`${REAL_HOST}.redis.svc.cluster.local`],
          // Both on one machine: each on an address of its own.
          bind: `127.0.0.${index + 1}`,
          drainSeconds: DRAIN_SECONDS,
          delta,
          admin: { socketPath },
        }),
    });
    after(() => envoy.stop());
    envoys.push(envoy);
  }
  const first = new Redis({ host: '127.0.0.1', port, protocol: 2 });
  first.on('error', () => {});
  await eventually('an answer', async () => ((await first.get('warm')) === null ? true : undefined)).finally(
    () => first.disconnect(),
  );
  const load = startIoredis(port);
  after(async () => void (await load.stop()));

  let opened = 0;
  const open = (): SimulatedSidecar => {
    opened += 1;
    const variant = opened % 3 === 0 ? 'state of the world' : 'delta';
    return new SimulatedSidecar({
      address: `127.0.0.1:${xdsPort}`,
      variant,
      nodeId: `soak-${opened}`,
      drainSeconds: DRAIN_SECONDS,
    });
  };
  const sidecars = Array.from({ length: streams }, open);
  after(() => {
    for (const sidecar of sidecars) sidecar.leave();
  });
  const failures: string[] = [];

  const memory: number[] = [];
  const delays: number[] = [];
  const start = Date.now();
  const end = start + minutes * 60_000;
  let [changes, saidAt, sampledAt] = [0, start, start];
  while (Date.now() < end) {
    const next = sleep(every * 1_000);
    const changedAt = Date.now();
    const isSeen = await objects.change(changes);
    changes += 1;
    if (changes % 8 === 0) {
      sidecars.shift()?.leave();
      sidecars.push(open());
    }
    await next;
    if (isSeen) for (const { heardAt } of sidecars) if (heardAt > changedAt) delays.push(heardAt - changedAt);
    failures.push(...sidecars.flatMap(({ failure }) => failure ?? []));
    if (failures.length > 0 || !controlPlane.isRunning()) break;
    if (Date.now() - sampledAt >= SAMPLE_MS) {
      sampledAt = Date.now();
      memory.push(await residentMb(controlPlane.pid));
    }
    if (Date.now() - saidAt >= PROGRESS_MS) {
      saidAt = Date.now();
      say(
        `${Math.round((saidAt - start) / 1_000)} s of ${minutes * 60}: ${changes} changes, ${streams} streams, ` +
          `${memory.at(-1)} MB, a change with a stream after ${median(delays.slice(-streams * 20))} ms (median)`,
      );
    }
  }

  const problems = [...new Set(failures)].map((failure) => `a stream ended: ${failure}`);
  if (!controlPlane.isRunning()) problems.push(`the control plane ended:\n${controlPlane.lastLines()}`);
  else problems.push(...(await settled({ objects, sidecars, open, adminPort })));
  for (const envoy of envoys) {
    for (const [name, count] of await envoy.stats('update_rejected'))
      if (count > 0) problems.push(`Envoy: ${name} ${count}`);
  }
  const totals = await load.stop();
  const lost = errorsOf(totals);
  if (lost > 0) problems.push(`ioredis saw ${lost} errors: ${[...totals.errors.keys()].join(', ')}`);
  const { early, late } = growth(memory);
  if (late > early * 1.2 + 10) problems.push(`memory grew from ${early} to ${late} MB`);
  process.stdout.write(
    `${minutes} minutes, ${hosts} hosts, ${streams} streams (${opened} opened), ${changes} changes; ` +
      `memory ${early} MB in the second quarter, ${late} MB in the last, at most ${Math.max(...memory)} MB; ` +
      `a change with a stream after ${median(delays)} ms (median), at most ${delays.reduce((a, b) => Math.max(a, b), 0)} ms; ` +
      `ioredis: ${lost} errors of ${totals.answered}\n`,
  );
  return problems;
}

/** Every stream has in the end what a new one gets, and none was refused. */
async function settled(options: {
  readonly objects: SoakObjects;
  readonly sidecars: readonly SimulatedSidecar[];
  readonly open: () => SimulatedSidecar;
  readonly adminPort: number;
}): Promise<readonly string[]> {
  const { objects, sidecars, open, adminPort } = options;
  await objects.writeAll();
  const fresh = open();
  const differing = (): readonly SimulatedSidecar[] =>
    sidecars.filter(({ listeners }) => !isSame(listeners, fresh.listeners));
  const problems: string[] = [];
  await eventually(
    'every stream up to date',
    () => (fresh.listeners.size === objects.count && differing().length === 0 ? true : undefined),
    { deadlineMs: 20_000 },
  ).catch(() =>
    problems.push(
      `${differing().length} streams differ from a new one, which has ${fresh.listeners.size} of ${objects.count} listeners`,
    ),
  );
  const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  for (const line of metrics.split('\n'))
    if (/^redpilot_xds_rejections_total\{.*\} [1-9]/.test(line)) problems.push(line);
  return problems;
}

function isSame(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean {
  return a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes) === true);
}

/** The first quarter is left out: caches fill, code is compiled. */
function growth(memory: readonly number[]): { readonly early: number; readonly late: number } {
  const quarter = Math.floor(memory.length / 4);
  return {
    early: median(memory.slice(quarter, 2 * quarter)),
    late: median(memory.slice(3 * quarter)),
  };
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1_024);
}
