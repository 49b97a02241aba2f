/**
 * How long it takes until every one of many streams has a change, and what that costs the server: redpilot, beside the
 * field's standard library (go-control-plane 0.14 with its linear and its snapshot cache, where Go is there) and beside
 * @grpc/grpc-js with nothing on top, which is the floor.
 *
 * Clients are processes of their own that count frames without decoding them. Redpilot's times begin with the edit of the
 * file; the others are told by a line on their input. The servers take turns, and each figure is a median over the rounds.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { removeFolder, temporaryFolder } from '../src/demo/child-process.ts';
import type { Variant } from '../src/xds/requests.ts';
import { median } from './free-connections.ts';
import { PLAIN_CLUSTER, ServiceFolder } from './xds/objects.ts';
import { type BenchmarkServer, describeResources, type Kind, KINDS, startServer } from './xds/servers.ts';
import type { Order, Report, Short } from './xds/streams.ts';
import { cpuMs, peakMb } from './xds/usage.ts';

const CLIENT_FILE = fileURLToPath(new URL('xds/streams.ts', import.meta.url));

/** Answers are taken and garbage is collected by then. */
const AFTER_CHANGE_MS = 400;

/** To write more files than that takes minutes. */
const MOST_CHANGED = 2_000;

interface Case {
  readonly streams: number;
  readonly services: number;
  readonly variant: Variant;
  readonly slow: number;
  readonly changes: number;
  readonly processes: number;
}

interface Change {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuMs: number;
  readonly bytes: number;
}

interface Figures {
  readonly syncMs: number;
  readonly syncCpuMs: number;
  readonly one: Change;
  readonly endpoint: Change | undefined;
  readonly all: Change | undefined;
  readonly peakMb: number;
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      streams: { type: 'string', default: '1000' },
      services: { type: 'string', default: '100' },
      servers: { type: 'string', default: KINDS.join() },
      rounds: { type: 'string', default: '3' },
      changes: { type: 'string', default: '5' },
      slow: { type: 'string', default: '0' },
      processes: { type: 'string', default: '2' },
      sotw: { type: 'boolean', default: false },
    },
  });
  const number = (text: string): number => Number(text);
  const figures: Case = {
    streams: number(values.streams),
    services: number(values.services),
    variant: values.sotw ? 'state of the world' : 'delta',
    slow: number(values.slow),
    changes: number(values.changes),
    processes: number(values.processes),
  };
  const kinds = values.servers.split(',').filter((word): word is Kind => KINDS.some((kind) => kind === word));
  await compare(kinds, figures, number(values.rounds));
}

async function compare(kinds: readonly Kind[], what: Case, rounds: number): Promise<void> {
  const base = await temporaryFolder('xds');
  const folder = await ServiceFolder.create(join(base, 'objects'), what.services);
  await describeResources(folder);
  const found = new Map<Kind, Figures[]>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const kind of kinds) {
      const server = await startServer(kind, folder);
      if (server === undefined) continue;
      const figures = await measureAndStop(server, what);
      found.set(kind, [...(found.get(kind) ?? []), figures]);
      process.stderr.write(`${lineOf(`round ${round}, ${kind}`, [figures])}\n`);
    }
  }
  await removeFolder(base);
  const slow = what.slow === 0 ? '' : `, ${what.slow} of them reading nothing`;
  process.stdout.write(
    `${what.variant}: ${what.streams} streams${slow} x ${what.services} services, medians of ${rounds} rounds\n\n` +
      '| server | first sync | its CPU | one change p50 | p99 | CPU | bytes | endpoint p99 | CPU | all changed p99 | CPU | peak RSS |\n' +
      '|---|---|---|---|---|---|---|---|---|---|---|---|\n',
  );
  for (const [kind, list] of found) process.stdout.write(`${lineOf(kind, list)}\n`);
}

function lineOf(name: string, list: readonly Figures[]): string {
  const of = (pick: (figures: Figures) => number | undefined): number =>
    median(list.map((figures) => pick(figures) ?? Number.NaN));
  const ms = (value: number): string => (Number.isNaN(value) ? '-' : `${Math.round(value)} ms`);
  const cells = [
    `${(of(({ syncMs }) => syncMs) / 1_000).toFixed(2)} s`,
    ms(of(({ syncCpuMs }) => syncCpuMs)),
    ms(of(({ one }) => one.p50Ms)),
    ms(of(({ one }) => one.p99Ms)),
    ms(of(({ one }) => one.cpuMs)),
    String(Math.round(of(({ one }) => one.bytes))),
    ms(of(({ endpoint }) => endpoint?.p99Ms)),
    ms(of(({ endpoint }) => endpoint?.cpuMs)),
    ms(of(({ all }) => all?.p99Ms)),
    ms(of(({ all }) => all?.cpuMs)),
    `${Math.round(of(({ peakMb }) => peakMb))} MB`,
  ];
  return `| ${name} | ${cells.join(' | ')} |`;
}

async function measureAndStop(server: BenchmarkServer, what: Case): Promise<Figures> {
  try {
    return await measure(server, what);
  } finally {
    await server.stop();
  }
}

async function measure(server: BenchmarkServer, what: Case): Promise<Figures> {
  const clients = Array.from({ length: what.processes }, startClient);
  try {
    const startedNs = Number(process.hrtime.bigint());
    const startCpuMs = cpuMs(server.pid);
    const share = (count: number, index: number): number =>
      Math.floor((count * (index + 1)) / clients.length) - Math.floor((count * index) / clients.length);
    const connected = await Promise.all(
      clients.map((client, index) =>
        ask(client, 'connected', {
          do: 'connect',
          address: server.address,
          streams: share(what.streams, index),
          variant: what.variant,
          endpoints: server.changeEndpoint === undefined ? [] : [PLAIN_CLUSTER],
          slow: share(what.slow, index),
        }),
      ),
    );
    const synced = Math.max(...connected.flatMap(({ times }) => times.filter((time) => time > 0)));
    const syncCpuMs = cpuMs(server.pid) - startCpuMs;
    await sleep(AFTER_CHANGE_MS);

    const change = async (type: Short, resources: number, act: () => Promise<void>): Promise<Change> =>
      await changeOf({ server, clients, type, resources, act });
    const full = what.variant === 'delta' ? 1 : what.services;
    // The first changes make the code warm.
    for (let index = 0; index < 2; index += 1) await change('LDS', full, () => server.changeOne(index));
    const ones: Change[] = [];
    for (let index = 0; index < what.changes; index += 1)
      ones.push(await change('LDS', full, () => server.changeOne(index % what.services)));
    const endpoints: Change[] = [];
    const { changeEndpoint } = server;
    if (changeEndpoint !== undefined) {
      for (let index = 0; index < what.changes; index += 1)
        endpoints.push(await change('EDS', 1, changeEndpoint));
    }
    const all =
      what.services > MOST_CHANGED ? undefined : await change('LDS', what.services, () => server.changeAll());
    return {
      syncMs: (synced - startedNs) / 1e6,
      syncCpuMs,
      one: medianOf(ones),
      endpoint: endpoints.length > 0 ? medianOf(endpoints) : undefined,
      all,
      peakMb: peakMb(server.pid),
    };
  } finally {
    for (const client of clients) client.kill('SIGKILL');
  }
}

async function changeOf(options: {
  readonly server: BenchmarkServer;
  readonly clients: readonly ChildProcess[];
  readonly type: Short;
  readonly resources: number;
  readonly act: () => Promise<void>;
}): Promise<Change> {
  const { server, clients, type, resources, act } = options;
  const order = { do: 'wait', type, resources } as const;
  await Promise.all(clients.map((client) => ask(client, 'waiting', order)));
  const had = clients.map((client) => reported(client, 'had'));
  const startCpuMs = cpuMs(server.pid);
  const startedNs = Number(process.hrtime.bigint());
  await act();
  const reports = await Promise.all(had);
  await sleep(AFTER_CHANGE_MS);
  const times = reports.flatMap(({ times: some }) => some.map((time) => (time - startedNs) / 1e6));
  const sorted = times.toSorted((a, b) => a - b);
  return {
    p50Ms: median(times),
    p99Ms: sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN,
    cpuMs: cpuMs(server.pid) - startCpuMs,
    bytes: reports.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function medianOf(changes: readonly Change[]): Change {
  return {
    p50Ms: median(changes.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(changes.map(({ p99Ms }) => p99Ms)),
    cpuMs: median(changes.map((change) => change.cpuMs)),
    bytes: median(changes.map(({ bytes }) => bytes)),
  };
}

function startClient(): ChildProcess {
  const client = fork(CLIENT_FILE);
  client.once('exit', (code) => {
    if (code !== null) throw new Error(`a client process ended with ${code}`);
  });
  return client;
}

async function ask(client: ChildProcess, what: Report['what'], order: Order): Promise<Report> {
  const report = reported(client, what);
  client.send(order);
  return await report;
}

async function reported(client: ChildProcess, what: Report['what']): Promise<Report> {
  return await new Promise((resolve) => {
    const onMessage = (report: Report): void => {
      if (report.what !== what) return;
      client.off('message', onMessage);
      resolve(report);
    };
    client.on('message', onMessage);
  });
}
