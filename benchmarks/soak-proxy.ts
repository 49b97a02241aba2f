/**
 * What the proxy costs over time, as a process of its own before a Redis Cluster: thousands of idle connections, millions
 * of pipelined commands, minutes of hostile input beside a client that must not notice, a mirror that never reads
 * (`npm run soak -- proxy`). Ends with a verdict.
 */
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { findRedis } from '../src/demo/binaries.ts';
import {
  freePorts,
  removeFolder,
  startProcess,
  temporaryFolder,
  type Running,
} from '../src/demo/child-process.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { allowFor } from '../test/e2e/busy-machine.ts';
import { documents, hostObjects, redisDestination, serviceObjects } from '../test/e2e/objects.ts';
import { percentile, startSteadyClient } from '../test/e2e/steady-client.ts';
import { median } from './free-connections.ts';
import { startPipelinedLoad } from './pipelined-load.ts';
import { memoryMib } from './proxy-targets.ts';

const PROGRESS_MS = 10_000;
const SAMPLE_MS = 500;
const IDLE_MIB = 200;
/** Until the garbage collector has had to look at what is new since the last connection (seen: within 50 s). */
const IDLE_MS = 60_000;
/** The proxy's memory may move by so much without being called growth. */
const MARGIN_MIB = 20;
const HOSTILE_CLIENTS = 100;
const HOSTILE_MIB = 700;
/** What the other client may wait beside them, where the machine has nothing else to do. */
const P99_MS = 100;
const LONGEST_MS = 1_000;
const MIRROR_MIB = 150;

interface Soak {
  readonly idle: number;
  readonly commands: number;
  readonly minutes: number;
}

interface Setting {
  readonly redisPort: number;
  readonly say: (line: string) => void;
  readonly after: (end: () => Promise<void> | void) => void;
}

/** What was seen, and what is wrong with it. */
interface Finding {
  readonly seen: string;
  readonly problems: readonly string[];
}

/** `--idle N` (10,000), `--commands N` (20 million), `--minutes N` of hostile input (10), `--only idle,pipeline,hostile,mirror`. */
export async function soakProxy(args: readonly string[]): Promise<void> {
  const given = (flag: string): string | undefined => args[args.indexOf(flag) + 1 || args.length];
  const number = (flag: string, otherwise: number): number => Number(given(flag) ?? otherwise) || otherwise;
  const soak = {
    idle: number('--idle', 10_000),
    commands: number('--commands', 20_000_000),
    minutes: number('--minutes', 10),
  };
  const parts = { idle: soakIdle, pipeline: soakPipeline, hostile: soakHostile, mirror: soakMirror };
  const only = given('--only')?.split(',') ?? Object.keys(parts);
  const unknown = only.filter((name) => !(name in parts));
  if (unknown.length > 0)
    throw new Error(`--only knows no ${unknown.join(', ')}; there is ${Object.keys(parts).join(', ')}`);
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const redis = await findRedis({ progress: say });
  const cluster = await RedisCluster.start({ redis, replicas: 1 });
  const problems: string[] = [];
  try {
    for (const [name, part] of Object.entries(parts)) {
      if (!only.includes(name)) continue;
      say(`${name}…`);
      const ends: (() => Promise<void> | void)[] = [];
      try {
        const setting = {
          redisPort: cluster.nodes[0]?.port ?? 0,
          say,
          after: (end: Ends) => void ends.push(end),
        };
        const found = await part(setting, soak);
        process.stdout.write(`${name}: ${found.seen}\n`);
        problems.push(...found.problems.map((problem) => `${name}: ${problem}`));
      } finally {
        for (const end of ends.reverse()) await end();
      }
    }
  } finally {
    await cluster.stop();
  }
  process.stdout.write(problems.length === 0 ? 'fine\n' : `not fine: ${problems.join('; ')}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

type Ends = () => Promise<void> | void;

interface ProxyProcess {
  readonly port: number;
  readonly process: Running;
}

async function startProxy({ after }: Setting, args: readonly string[], port: number): Promise<ProxyProcess> {
  const [admin = 0] = await freePorts(1);
  const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
  const common = ['--admin-address', `127.0.0.1:${admin}`, '--log-level', 'error', '--max-clients', '15000'];
  const started = await startProcess(process.execPath, [cli, 'proxy', ...common, ...args]);
  after(() => started.stop());
  await eventually(
    'the proxy ready',
    async () => ((await fetch(`http://127.0.0.1:${admin}/readyz`)).ok ? true : undefined),
    { deadlineMs: 30_000, seen: started.lastLines },
  );
  return { port, process: started };
}

async function startPlain(setting: Setting): Promise<ProxyProcess> {
  const [port = 0] = await freePorts(1);
  const upstream = ['--upstream', `127.0.0.1:${setting.redisPort}`, '--listen', `127.0.0.1:${port}`];
  return await startProxy(setting, upstream, port);
}

/** Connections that have asked something once, and then say nothing. */
async function soakIdle(setting: Setting, { idle }: Soak): Promise<Finding> {
  const proxy = await startPlain(setting);
  const before = await memoryMib(proxy.process.pid);
  const sockets: Socket[] = [];
  setting.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  let answered = 0;
  const failures = new Set<string>();
  for (let count = 0; count < idle; count++) {
    const socket = connect({ host: '127.0.0.1', port: proxy.port });
    socket.on('error', (error) => failures.add(error.message));
    socket.on('data', () => {
      answered += 1;
    });
    socket.write('*2\r\n$3\r\nGET\r\n$4\r\nidle\r\n');
    sockets.push(socket);
    if (count % 200 === 199) {
      await eventually('answers', () => (answered > count - 200 ? true : undefined), { deadlineMs: 60_000 });
    }
  }
  await eventually(`${idle} answers`, () => (answered === idle ? true : undefined), {
    deadlineMs: 60_000,
    seen: () => `${answered}; ${[...failures].join(', ')}`,
  });
  // Objects that are young are copied once more, while those before them still take their room: the most counts, not a moment.
  const memory = await sampled(proxy.process, sleep(IDLE_MS), setting.say, () => `${idle} connections`);
  const most = Math.max(...memory);
  const each = ((most - before) * 1_024) / idle;
  return {
    seen:
      `${idle} connections; ${before.toFixed(0)} MiB before, at most ${most.toFixed(0)} MiB with them, ` +
      `${each.toFixed(1)} KiB each; ${memory.at(-1)?.toFixed(0)} MiB after ${IDLE_MS / 1_000} s`,
    problems: most < IDLE_MIB ? [] : [`${most.toFixed(0)} MiB, more than ${IDLE_MIB}`],
  };
}

async function soakPipeline(setting: Setting, { commands }: Soak): Promise<Finding> {
  const proxy = await startPlain(setting);
  const load = startPipelinedLoad({ port: proxy.port, commands, connections: 16, valueBytes: 100 });
  const startedAt = Date.now();
  const memory = await sampled(proxy.process, load.done, setting.say, () => `${load.answered} commands`);
  const { early, late } = growth(memory);
  const perSecond = load.answered / ((Date.now() - startedAt) / 1_000);
  const problems = [...new Set(load.errors)].slice(0, 5);
  if (load.answered < commands) problems.push(`${load.answered} of ${commands} answered`);
  if (late > early + MARGIN_MIB)
    problems.push(`memory grew from ${early.toFixed(0)} to ${late.toFixed(0)} MiB`);
  return {
    seen:
      `${load.answered} commands, ${Math.round(perSecond)} a second, ${load.errors.length} errors; ` +
      `${early.toFixed(0)} MiB in the second quarter, ${late.toFixed(0)} MiB in the last`,
    problems,
  };
}

async function soakHostile(setting: Setting, { minutes }: Soak): Promise<Finding> {
  const proxy = await startPlain(setting);
  const steady = startSteadyClient(proxy.port, 2);
  await sleep(Math.min(20_000, minutes * 20_000));
  const alone = steady.take();
  const script = fileURLToPath(new URL('hostile-clients.ts', import.meta.url));
  const seed = Math.floor(Math.random() * 2 ** 31);
  setting.say(`seed ${seed}`);
  const hostile = await startProcess(process.execPath, [
    script,
    String(proxy.port),
    String(seed),
    String(HOSTILE_CLIENTS),
  ]);
  setting.after(() => hostile.stop());
  const memory = await sampled(proxy.process, sleep(minutes * 60_000), setting.say, () => `seed ${seed}`);
  await hostile.stop();
  const beside = await steady.stop();
  const [p99Alone, p99, longest] = [
    percentile(alone.delays, 0.99),
    percentile(beside.delays, 0.99),
    percentile(beside.delays, 1),
  ];
  const most = Math.max(...memory);
  const { early, late } = growth(memory);
  const problems = [...alone.wrong, ...beside.wrong].slice(0, 5);
  if (!proxy.process.isRunning()) problems.push(`the proxy ended:\n${proxy.process.lastLines()}`);
  if (p99 > allowFor(P99_MS) || longest > allowFor(LONGEST_MS)) {
    problems.push(`p99 ${p99.toFixed(0)} ms, at most ${longest.toFixed(0)} ms`);
  }
  if (most > HOSTILE_MIB) problems.push(`${most.toFixed(0)} MiB`);
  if (late > early * 1.2 + MARGIN_MIB)
    problems.push(`memory grew from ${early.toFixed(0)} to ${late.toFixed(0)} MiB`);
  return {
    seen:
      `${minutes} minutes, ${hostile.lastLines().trim().split('\n').at(-1)}; beside them ${beside.commands} commands, ` +
      `${beside.wrong.length} wrong replies, p99 ${p99.toFixed(1)} ms (${p99Alone.toFixed(1)} ms without them), at most ` +
      `${longest.toFixed(0)} ms; ${early.toFixed(0)} MiB in the second quarter, ${late.toFixed(0)} MiB in the last, at most ` +
      `${most.toFixed(0)} MiB`,
    problems,
  };
}

/** It accepts, and then never reads a byte. */
async function soakMirror(setting: Setting, { commands }: Soak): Promise<Finding> {
  const sockets = new Set<Socket>();
  const deaf = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => {
    deaf.listen(0, '127.0.0.1', resolve);
  });
  setting.after(() => {
    for (const socket of sockets) socket.destroy();
    deaf.close();
  });
  const mirror = (deaf.address() as AddressInfo).port;
  const [port = 0] = await freePorts(1);
  const folder = await temporaryFolder('soak');
  setting.after(() => removeFolder(folder));
  const name = 'mirrored';
  const host = hostObjects({
    name,
    port,
    endpoints: [setting.redisPort],
    mode: 'CLUSTER',
    rules: [{ route: { host: name }, mirror: [{ route: { host: 'deaf' } }] }],
  });
  const copies = { name: 'deaf', mode: 'PROXY', port: 6379, endpoints: [mirror] } as const;
  const objects = `${host}---\n${documents(...serviceObjects(copies), redisDestination(copies))}`;
  await writeFile(join(folder, 'objects.yaml'), objects);
  const proxy = await startProxy(setting, ['--config', folder], port);
  const load = startPipelinedLoad({ port, commands: commands / 20, connections: 4, valueBytes: 2_000 });
  const before = await memoryMib(proxy.process.pid);
  const memory = await sampled(proxy.process, load.done, setting.say, () => `${load.answered} commands`);
  const most = Math.max(before, ...memory);
  const problems = [...new Set(load.errors)].slice(0, 5);
  if (load.answered < commands / 20) problems.push(`${load.answered} of ${commands / 20} answered`);
  if (most > before + MIRROR_MIB) problems.push(`${most.toFixed(0)} MiB`);
  return {
    seen:
      `${load.answered} commands before a mirror that never reads (${sockets.size} connections), ${load.errors.length} errors; ` +
      `${before.toFixed(0)} MiB before, at most ${most.toFixed(0)} MiB`,
    problems,
  };
}

/** The memory of a process until something is done, with a line of progress now and then. */
async function sampled(
  running: Running,
  done: Promise<unknown>,
  say: (line: string) => void,
  progress: () => string,
): Promise<readonly number[]> {
  const memory: number[] = [];
  const startedAt = Date.now();
  let saidAt = startedAt;
  let isDone = false;
  while (!isDone && running.isRunning()) {
    isDone = await Promise.race([done.then(() => true), sleep(SAMPLE_MS, false)]);
    memory.push(await memoryMib(running.pid));
    if (Date.now() - saidAt < PROGRESS_MS) continue;
    saidAt = Date.now();
    say(`  ${Math.round((saidAt - startedAt) / 1_000)} s: ${memory.at(-1)?.toFixed(0)} MiB, ${progress()}`);
  }
  return memory;
}

/** The first quarter is left out: pools fill, code is compiled. */
function growth(memory: readonly number[]): { readonly early: number; readonly late: number } {
  const quarter = Math.floor(memory.length / 4);
  return { early: median(memory.slice(quarter, 2 * quarter)), late: median(memory.slice(3 * quarter)) };
}
