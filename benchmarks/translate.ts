/**
 * What translation costs: many RedisServices from nothing to encoded resources, and one change among them.
 *
 * One view that sees everything, each object with a Service and an EndpointSlice of its own, half of them on a Redis
 * Cluster. CPU time of this process; a change is an edited opTimeout, up to the new listener's bytes.
 */
import type { ApiObject, RedisService } from '../src/api/objects.ts';
import { parseObject } from '../src/api/parse.ts';
import { ViewSnapshots } from '../src/envoy/view-snapshots.ts';
import { Planner } from '../src/plan/planner.ts';
import type { View } from '../src/plan/view.ts';
import { World } from '../src/world/world.ts';

const SIZES = [1_000, 10_000];
const CHANGES = 400;
/** Thrown away: the compiler is still at work. */
const WARMING = 200;
const EVERYTHING: View = { namespace: undefined, hosts: undefined, bindAddress: 'auto' };

const GOAL = { changeMs: 2, growth: 1.5 };

interface Figures {
  readonly services: number;
  readonly parseMs: number;
  readonly coldMs: number;
  readonly medianMs: number;
  /** With the garbage collector's share, which comes in few of them. */
  readonly meanMs: number;
}

export async function run(): Promise<void> {
  const figures = SIZES.map(measure);
  process.stdout.write(
    '| RedisServices | read from YAML values | translated | one change, median | mean |\n|---|---|---|---|---|\n',
  );
  for (const { services, parseMs, coldMs, medianMs, meanMs } of figures) {
    process.stdout.write(
      `| ${services} | ${parseMs.toFixed(0)} ms | ${coldMs.toFixed(0)} ms | ${medianMs.toFixed(3)} ms | ${meanMs.toFixed(3)} ms |\n`,
    );
  }
  const [few, many] = figures;
  if (few === undefined || many === undefined) return;
  const growth = many.medianMs / few.medianMs;
  process.stdout.write(
    `\na change among ${many.services}: ${growth.toFixed(2)} times one among ${few.services} by the median, ` +
      `${(many.meanMs / few.meanMs).toFixed(2)} times by the mean\n` +
      `(goal: at most ${GOAL.growth} times by the median, and below ${GOAL.changeMs} ms of CPU by the mean)\n`,
  );
  if (growth > GOAL.growth || many.meanMs > GOAL.changeMs) process.exitCode = 1;
}

function measure(services: number): Figures {
  const documents = Array.from({ length: services }, (_, at) => documentsOf(at)).flat();
  const parsing = cpuMs();
  const objects = documents.flatMap((document) => {
    const outcome = parseObject(document, () => undefined);
    return outcome.kind === 'object' ? [outcome.object] : [];
  });
  const parseMs = cpuMs() - parsing;

  const planner = new Planner();
  const views = new ViewSnapshots(() => planner.plans());
  let world = World.empty({ clusterDomain: 'cluster.local' });
  const apply = (set: readonly ApiObject[]): void => {
    const next = world.apply({ set, deleted: [] });
    world = next.world;
    planner.update(world, next.changed);
    views.update(planner.takeChanges().values());
    views.snapshotFor(EVERYTHING);
  };
  const starting = cpuMs();
  apply(objects);
  const coldMs = cpuMs() - starting;
  if ([...views.snapshotFor(EVERYTHING).values()].every((set) => set.size < services))
    throw new Error('the snapshot is not complete');

  const edited = objects.filter((object): object is RedisService => object.kind === 'RedisService');
  const costs: number[] = [];
  for (let at = 0; at < WARMING + CHANGES; at++) {
    const index = (at * 7_919) % edited.length;
    const before = edited[index];
    if (before === undefined) continue;
    const after: RedisService = { ...before, opTimeoutMs: before.opTimeoutMs + 1 };
    edited[index] = after;
    const started = cpuMs();
    apply([after]);
    if (at >= WARMING) costs.push(cpuMs() - started);
  }
  costs.sort((a, b) => a - b);
  return {
    services,
    parseMs,
    coldMs,
    medianMs: costs[Math.floor(costs.length / 2)] ?? 0,
    meanMs: costs.reduce((sum, cost) => sum + cost, 0) / costs.length,
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function documentsOf(at: number): readonly object[] {
  const [name, namespace] = [`redis-${at}`, `team-${at % 100}`];
  const metadata = { name, namespace };
  const port = { name: 'redis', port: 6379 };
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [port] } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [port],
      endpoints: [{ addresses: [`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`] }],
    },
    {
      apiVersion: 'redis.aeraki.io/v1alpha1',
      kind: 'RedisDestination',
      metadata,
      spec: {
        host: name,
        trafficPolicy: { connectionPool: { redis: { mode: at % 2 === 0 ? 'CLUSTER' : 'PROXY' } } },
      },
    },
    {
      apiVersion: 'redis.aeraki.io/v1alpha1',
      kind: 'RedisService',
      metadata,
      spec: { host: [name], settings: { readPolicy: 'REPLICA' }, redis: [{ route: { host: name } }] },
    },
  ];
}
