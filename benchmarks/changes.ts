/**
 * What a change of the configuration costs the clients that are sending, by kind of change, drain and client library; and
 * how soon a new connection has a new policy.
 *
 * One real control plane on files, one real Envoy, 9 Redis nodes; 20 changes 1.5 s apart. Each library sends 1,000
 * commands/s on one connection without waiting, redis-py one after the other, the raw pipeline 5,000/s.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { findEnvoy, findRedis, type RedisBinary } from '../src/demo/binaries.ts';
import { freePorts } from '../src/demo/child-process.ts';
import { eventually } from '../src/demo/eventually.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { errorsOf, startIoredis, startNodeRedis, type LoadTotals } from '../test/e2e/client-loads.ts';
import { documents, redisDestination, redisService, serviceObjects } from '../test/e2e/objects.ts';
import { everyChange, newConnectionWith } from '../test/e2e/policy-changes.ts';
import { findRedisPy, startRedisPy } from '../test/e2e/redis-py.ts';
import { startSidecar, type Ending } from '../test/e2e/sidecar.ts';
import { median } from './free-connections.ts';
import { startRawPipeline } from './raw-pipeline.ts';

const NAME = 'redis-cluster';
const CHANGES = 20;
const APART_MS = 1_500;

type Kind = 'policy' | 'timeout' | 'cluster';

interface Scenario {
  readonly name: string;
  readonly kind: Kind;
  readonly drainSeconds: number;
  readonly drainStrategy: 'immediate' | 'gradual';
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'readPolicy, drain 3 s immediate',
    kind: 'policy',
    drainSeconds: 3,
    drainStrategy: 'immediate',
  },
  { name: 'readPolicy, drain 30 s gradual', kind: 'policy', drainSeconds: 30, drainStrategy: 'gradual' },
  {
    name: 'opTimeout (listener), drain 3 s immediate',
    kind: 'timeout',
    drainSeconds: 3,
    drainStrategy: 'immediate',
  },
  {
    name: 'connectTimeout (cluster), drain 30 s gradual',
    kind: 'cluster',
    drainSeconds: 30,
    drainStrategy: 'gradual',
  },
];

interface Round {
  readonly clients: ReadonlyMap<string, LoadTotals>;
  /** Until a new connection read by the new policy. */
  readonly latenciesMs: readonly number[];
  readonly closes: number;
}

interface Started {
  stop(): Promise<LoadTotals>;
}

/** `--rounds N` (2) for each scenario, in turn. */
export async function run(args: readonly string[]): Promise<void> {
  const rounds = Number(args[args.indexOf('--rounds') + 1]) || 2;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const [envoy, redis] = [await findEnvoy(say), await findRedis({ from: 'wheel', progress: say })];
  const python = await findRedisPy();
  if (python === undefined) say('redis-py is left out: python3 -m pip install redis');
  const results = new Map<Scenario, Round[]>(SCENARIOS.map((scenario) => [scenario, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const [scenario, found] of results) {
      say(`round ${round} of ${rounds}: ${scenario.name}`);
      found.push(await measure({ scenario, envoy, redis, python }));
    }
  }
  print(
    results,
    `${redis.flavour} ${redis.version}, ${CHANGES} changes ${APART_MS} ms apart, ${rounds} rounds`,
  );
}

async function measure(options: {
  readonly scenario: Scenario;
  readonly envoy: string;
  readonly redis: RedisBinary;
  readonly python: string | undefined;
}): Promise<Round> {
  const { scenario, envoy, redis, python } = options;
  const { kind, drainSeconds, drainStrategy } = scenario;
  const ends: (() => Promise<void> | void)[] = [];
  const ending: Ending = { after: (end) => void ends.push(end) };
  try {
    const cluster = await RedisCluster.start({ redis });
    ending.after(() => cluster.stop());
    const [port = 0] = await freePorts(1);
    const endpoints = cluster.nodes.slice(0, 1).map((node) => node.port);
    const sidecar = await startSidecar(ending, {
      envoy,
      drainSeconds,
      drainStrategy,
      files: {
        'service.yaml': documents(...serviceObjects({ name: NAME, port, endpoints })),
        'destination.yaml': destination(0),
        'policy.yaml': service({ readPolicy: 'MASTER' }),
      },
    });
    const first = new Redis({ host: '127.0.0.1', port, protocol: 2 });
    first.on('error', () => {});
    ending.after(() => first.disconnect());
    await eventually('an answer', async () => ((await first.get('warm')) === null ? true : undefined));
    const clients = new Map<string, Started>([
      ['ioredis', startIoredis(port)],
      ...(python === undefined ? [] : [['redis-py', redisPy(ending, python, port)] as const]),
      ['node-redis', await startNodeRedis(port)],
      ['node-redis, caller retries', await startNodeRedis(port, 3)],
      ['raw pipeline', startRawPipeline(port, false)],
      ['raw pipeline, sends again', startRawPipeline(port, true)],
    ]);
    await sleep(APART_MS);
    const latenciesMs: number[] = [];
    for (const [index, policy] of everyChange().slice(1).entries()) {
      const next = sleep(APART_MS);
      if (kind === 'policy') {
        const written = Date.now();
        await sidecar.write('policy.yaml', service({ readPolicy: policy }));
        latenciesMs.push((await newConnectionWith(policy, { sidecar, cluster, port })) - written);
      } else if (kind === 'timeout')
        await sidecar.write('policy.yaml', service({ opTimeout: index % 2 === 0 ? '4s' : '5s' }));
      else await sidecar.write('destination.yaml', destination(index + 1));
      await next;
    }
    // What is left of the old listeners is closed within the drain time.
    if (kind !== 'cluster') await sleep(drainSeconds * 1_000 + 500);
    const totals = new Map<string, LoadTotals>();
    for (const [name, client] of clients) totals.set(name, await client.stop());
    const stats = await sidecar.envoy.stats('downstream_cx_drain_close');
    return { clients: totals, latenciesMs, closes: [...stats.values()].reduce((sum, n) => sum + n, 0) };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

function service(settings: Readonly<Record<string, unknown>>): string {
  return documents(redisService({ name: NAME, settings }));
}

/** Each another cluster resource, and none that matters. */
function destination(index: number): string {
  return documents(
    redisDestination({ name: NAME, mode: 'CLUSTER', connectTimeout: `${500 + (index % 2)}ms` }),
  );
}

function redisPy(ending: Ending, python: string, port: number): Started {
  const load = startRedisPy(ending, python, port);
  return {
    stop: async () => {
      const { answered, errors } = await load.stop();
      return {
        answered,
        errors: new Map([...new Set(errors)].map((e) => [e, errors.filter((x) => x === e).length])),
      };
    },
  };
}

function print(results: ReadonlyMap<Scenario, readonly Round[]>, title: string): void {
  const names = [...(results.values().next().value?.[0]?.clients.keys() ?? [])];
  const lines = [
    `${title}; errors seen by the caller in each round, of commands answered (median)`,
    '',
    `| change, drain | ${names.join(' | ')} |`,
    `|${'---|'.repeat(names.length + 1)}`,
  ];
  const said = new Map<string, Map<string, number>>();
  for (const [{ name }, rounds] of results) {
    const cells = names.map((client) => {
      const totals = rounds.flatMap(({ clients }) => clients.get(client) ?? []);
      for (const { errors } of totals)
        for (const [text, count] of errors) {
          const texts = said.get(client) ?? new Map<string, number>();
          said.set(client, texts.set(text, (texts.get(text) ?? 0) + count));
        }
      const answered = median(totals.map((each) => each.answered));
      return `${totals.map(errorsOf).join(', ')} of ${(answered / 1_000).toFixed(0)} k`;
    });
    lines.push(`| ${name} | ${cells.join(' | ')} |`);
  }
  lines.push('');
  for (const [{ name }, rounds] of results) {
    const all = rounds.flatMap(({ latenciesMs }) => latenciesMs);
    const closes = rounds.map((round) => round.closes).join(', ');
    lines.push(
      `${name}: ${closes} connections closed after a reply${
        all.length === 0
          ? ''
          : `; new connections had it after ${median(all)} ms (median of ${all.length}), at most ${Math.max(...all)} ms`
      }`,
    );
  }
  lines.push('');
  for (const [client, texts] of said)
    lines.push(`${client}: ${[...texts].map(([text, count]) => `${count} x ${text}`).join('; ')}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}
