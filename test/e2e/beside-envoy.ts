/** A real Envoy and our proxy before the same servers, from the same objects: what a command is answered by each. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { TestContext } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { startEnvoy } from '../../src/demo/envoy-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';
import { staticConfiguration } from '../../src/envoy/static-configuration.ts';
import { Wire, encode } from './contract/wire.ts';
import type { Binaries } from './environment.ts';
import { documents, hostObjects, redisDestination, serviceObjects, type HostObjects } from './objects.ts';
import { planOf } from './plan.ts';
import { startProxy } from './proxy-setting.ts';

const HOSTS = { Envoy: '127.0.0.1', 'the proxy': '127.0.0.2' } as const;

interface Servers {
  readonly cluster: RedisCluster;
  readonly plain: readonly RedisNode[];
  readonly mirror: RedisNode;
}

/** Envoy or the proxy. */
export class Side {
  readonly name: 'Envoy' | 'the proxy';
  readonly servers: Servers;
  readonly #host: string;
  readonly #ports: ReadonlyMap<string, number>;

  constructor(name: Side['name'], servers: Servers, ports: ReadonlyMap<string, number>) {
    this.name = name;
    this.servers = servers;
    this.#host = HOSTS[name];
    this.#ports = ports;
  }

  async connect(listener: string): Promise<Client> {
    return new Client(await Wire.open(this.#host, this.#ports.get(listener) ?? 0, 2));
  }

  /** Every server as if it had just been started. */
  async empty(): Promise<void> {
    const { cluster, plain, mirror } = this.servers;
    for (const { client } of [...cluster.nodes, ...plain, mirror]) {
      await client.flushall();
      await client.config('RESETSTAT');
    }
  }

  /** How often each of the plain servers got a command, and how often the mirror. */
  async calls(name: string): Promise<readonly number[]> {
    const { plain, mirror } = this.servers;
    const all = await Promise.all([...plain, mirror].map(({ client }) => client.info('commandstats')));
    return all.map((text) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(text)?.[1] ?? 0));
  }

  /** Each once the one before is answered, over one connection. */
  async ask(listener: string, ...commands: readonly string[]): Promise<string> {
    const client = await this.connect(listener);
    const replies: string[] = [];
    for (const command of commands) replies.push(await client.ask(command));
    client.close();
    return replies.join(' ');
  }
}

class Client {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** All at once. The replies' bytes, with blanks for ends of lines. */
  async ask(...commands: readonly string[]): Promise<string> {
    const replies = await this.#wire.ask(commands.map((command) => encode(command.split(' '))));
    return replies.join('').trimEnd().replaceAll('\r\n', ' ');
  }

  close(): void {
    this.#wire.close();
  }
}

/** A row of docs/differences-from-envoy.md. */
export interface Case {
  readonly row: string;
  readonly envoy: RegExp;
  readonly proxy: RegExp;
  readonly run: (side: Side) => Promise<string>;
}

/** Without endpoints it has no upstream of its own. */
export type ListenerObjects = Omit<HostObjects, 'port' | 'endpoints'> &
  Partial<Pick<HostObjects, 'endpoints'>>;

/** What the listener `routed` leads to answers, on both, when it resolves. */
export async function startBoth(
  t: TestContext,
  { envoy: binary, redis }: Binaries,
  listeners: readonly ListenerObjects[],
): Promise<{ readonly envoy: Side; readonly proxy: Side }> {
  const folder = await temporaryFolder('beside');
  t.after(() => removeFolder(folder));
  const start = async (): Promise<RedisNode> => {
    const config = { 'rename-command': ['STRLEN MEASURE'] };
    const node = await startRedis({ server: redis.server, folder, config });
    t.after(() => stopRedis(node));
    return node;
  };
  const [cluster, one, other, mirror] = await Promise.all([
    RedisCluster.start({ redis, replicas: 0 }),
    start(),
    start(),
    start(),
  ]);
  t.after(() => cluster.stop());
  const servers = { cluster, plain: [one, other], mirror };
  const free = await freePorts(listeners.length);
  const ports = new Map(listeners.map(({ name }, index) => [name, free[index] ?? 0]));
  const upstream = (
    name: string,
    mode: 'CLUSTER' | 'PROXY',
    endpoints: readonly number[],
    tcp?: object,
  ): string =>
    documents(...serviceObjects({ name, port: 6379, endpoints }), redisDestination({ name, mode, tcp }));
  const text = [
    upstream('cluster', 'CLUSTER', [cluster.nodes[0]?.port ?? 0]),
    upstream('plain', 'PROXY', [one.port, other.port]),
    upstream('one', 'PROXY', [one.port], { maxConnections: 2 }),
    upstream('other', 'PROXY', [other.port]),
    upstream('mirror', 'PROXY', [mirror.port]),
    ...listeners.map((listener) =>
      hostObjects({
        annotations: { guards: 'off' },
        endpoints: [],
        ...listener,
        port: ports.get(listener.name) ?? 0,
      }),
    ),
  ].join('---\n');
  const { plan } = await planOf(text);
  const running = await startEnvoy({
    binary,
    configuration: (path) => ({
      ...(staticConfiguration(plan, (secret) => secret.reveal()) as object),
      admin: { address: { pipe: { path } } },
    }),
  });
  t.after(() => running.stop());
  const moved = plan.listeners.map((each) => ({
    ...each,
    bind: { ...each.bind, address: HOSTS['the proxy'] },
  }));
  await startProxy(t, { ...plan, listeners: moved });
  const sides = {
    envoy: new Side('Envoy', servers, ports),
    proxy: new Side('the proxy', servers, ports),
  };
  for (const side of Object.values(sides)) {
    const keys = ['c:a', 'c:b', 'c:c', '1:k', '2:k', 'm:k'];
    await eventually('an answer from every server', async () => {
      const replies = await side.ask('routed', ...keys.map((key) => `GET ${key}`));
      return replies === keys.map(() => '$-1').join(' ') ? true : undefined;
    });
  }
  return sides;
}

/** Seconds until the kernel's keepalive timer of each connection to a local port; undefined: it has none. */
export function keepaliveTimers(port: number, side: Side): readonly (number | undefined)[] {
  const own = new Set(readdirSync('/proc/self/fd').map(socketOf));
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[2]?.endsWith(remote) === true && fields[3] === '01')
    .filter((fields) => own.has(`socket:[${fields[9]}]`) === (side.name === 'the proxy'))
    .map(([, , , , , timer = '']) =>
      timer.startsWith('02:') ? Number.parseInt(timer.slice(3), 16) / 100 : undefined,
    );
}

/** `socket:[INODE]`; what has been closed meanwhile is none. */
function socketOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return '';
  }
}
