/**
 * Nodes as Kubernetes has them: their hosts are lost without a word, and their addresses change, or become those of others.
 */
import assert from 'node:assert/strict';
import net, { Socket } from 'node:net';
import { syncBuiltinESMExports } from 'node:module';
import { test, type TestContext } from 'node:test';

import type { RoutingPlan, Upstream } from '../../src/plan/routing-plan.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat, type ScriptedCluster } from './scripted-cluster.ts';
import { clientOf, proxyFor, serverThat, type Server, planTo } from './servers.ts';

test('a node that is there again is found, though the connections from before stay silent', async (t) => {
  const lost = new Set<Socket>();
  const cluster = await clusterThat(t, 1, (words, _, socket) => {
    if (lost.has(socket)) return '';
    return words === 'SET k 1' ? '+OK\r\n' : undefined;
  });
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 60_000 });
  const state = (): string => proxy.status()[0]?.nodes[0]?.state ?? '';
  const is = (wanted: string): Promise<unknown> =>
    eventually(`its being ${wanted}`, () => state() === wanted || undefined, { seen: state });
  await is('fit');
  cluster.silent.add(0);
  await is('it does not answer');
  for (const socket of cluster.nodes[0]!.sockets) lost.add(socket);
  cluster.silent.clear();
  await is('fit');
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), '+OK\r\n');
});

for (const host of ['?', '']) {
  test(`a redirection to '${host}', which nobody is, is followed by the map`, async (t) => {
    const SLOT = slotOf(Buffer.from('k'), 0, 1);
    const hosts = ['127.0.0.21', '127.0.0.22', '127.0.0.23'];
    const nodes: Server[] = [];
    let owner = 0;
    const portOf = (): number => nodes[0]?.port ?? 0;
    const told = (first: number, last: number, node: number): string =>
      `*3\r\n:${first}\r\n:${last}\r\n` +
      `*4\r\n$1\r\n?\r\n:${portOf()}\r\n$2\r\nid\r\n*2\r\n$2\r\nip\r\n$10\r\n${hosts[node]}\r\n`;
    for (const [node, address] of hosts.entries()) {
      const answer = (words: string): string => {
        if (words === 'CLUSTER SLOTS') return `*2\r\n${told(0, SLOT, owner)}${told(SLOT + 1, 16_383, 2)}`;
        if (words !== 'SET k 1') return '+OK\r\n';
        return node === owner ? '+OK\r\n' : `-MOVED ${SLOT} ${host}:${portOf()}\r\n`;
      };
      nodes.push(await serverThat(t, answer, { host: address, port: portOf() }));
    }
    const plan = planTo(portOf(), { upstream: { address: '127.0.0.21', port: portOf() }, mode: 'cluster' });
    const { port, proxy } = await proxyFor(t, plan, { failoverWaitMs: 20_000 });
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    owner = 1;
    const client = clientOf(t, port);
    client.socket.write('SET k 1\r\n');
    await eventually('the reply', () => client.got() !== '' || undefined);
    assert.equal(client.got(), '+OK\r\n');
  });
}

test('a node that is away for long has the others asked no more often than while all is well', async (t) => {
  const cluster = await clusterThat(t, 1, () => undefined);
  const SLOT = 8_191;
  // Nobody is there.
  cluster.slots = [
    [0, SLOT, 0],
    [SLOT + 1, 16_383, 1],
  ];
  const { proxy } = await proxyFor(t, cluster.plan());
  await eventually('that somebody is missing', () => proxy.status()[0]?.nodes.length === 2 || undefined);
  const maps = (): number => cluster.nodes[0]!.asked.filter((words) => words === 'CLUSTER SLOTS').length;
  const askedFor = async (times: number): Promise<number> => {
    const [begin, before] = [process.hrtime.bigint(), maps()];
    await eventually('its being asked', () => maps() >= before + times || undefined);
    return Number((process.hrtime.bigint() - begin) / 1_000_000n);
  };
  await askedFor(3);
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + 60_000);
  // One may be due, of the time before; and a machine that stands still for half a second has made it silent, which is a reason
  // to hurry again.
  await eventually('its being asked seldom', async () => (await askedFor(4)) > 1_500 || undefined);
});

const isWrite = (words: string): boolean => words === 'SET k 1';

function inEpoch(words: string, number: number): string | undefined {
  const text = `cluster_state:ok\r\ncluster_current_epoch:${number}\r\n`;
  return words === 'CLUSTER INFO' ? `$${text.length}\r\n${text}\r\n` : undefined;
}

test('a node of another cluster that has got the address of one of ours says nothing of ours', async (t) => {
  const other = await clusterThat(t, 1, () => undefined);
  let isTaken = false;
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (isWrite(words)) return '+OK\r\n';
    if (node === 0 || !isTaken) return inEpoch(words, 1);
    return words === 'CLUSTER SLOTS' ? other.saying(other.slots) : inEpoch(words, 2);
  });
  cluster.slots = [
    [0, 0, 1],
    [1, 16_383, 0],
  ];
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  isTaken = true;
  const maps = (): number => cluster.nodes[1]!.asked.filter((words) => words === 'CLUSTER SLOTS').length;
  const before = maps();
  await eventually('its being asked', () => maps() > before + 1 || undefined);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.deepEqual(cluster.askedOf(0), ['SET k 1']);
  assert.deepEqual(other.nodes[0]!.asked, []);
});

test('a cluster that was made anew is known at once, though its epoch is an older one', async (t) => {
  let epoch = 9;
  const cluster = await clusterThat(t, 3, (words) => (isWrite(words) ? '+OK\r\n' : inEpoch(words, epoch)));
  // The seed is none of them.
  cluster.slots = [[0, 16_383, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 6_000 });
  const state = (): string | undefined => proxy.status()[0]?.nodes[0]?.state;
  const address = (): string | undefined => proxy.status()[0]?.nodes[0]?.address;
  // Not only known: until it is asked how it is it is not fit either.
  await eventually('the topology', () => state() === 'fit' || undefined, { seen: () => String(state()) });
  cluster.silent.add(1);
  epoch = 1;
  cluster.generation = 1;
  cluster.slots = [[0, 16_383, 2]];
  // A moment later it may be gone already.
  const isThere = (): boolean => address() === cluster.addressOf(1);
  await eventually('its being silent', () => state() !== 'fit' || !isThere() || undefined);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), '+OK\r\n');
});

test('nodes of which each names all in its own way do not have their connections closed all the time', async (t) => {
  let maps = 0;
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (words === 'INFO replication' && node === 1)
      return '$54\r\nrole:slave\r\nmaster_link_status:up\r\nslave_repl_offset:0\r\n';
    if (words !== 'CLUSTER SLOTS') return undefined;
    maps += 1;
    const host = node === 0 ? '127.0.0.1' : 'localhost';
    const places = cluster.nodes.map(
      ({ port }) => `*3\r\n$9\r\n${host}\r\n:${port}\r\n$4\r\n${(port % 9_000) + 1_000}\r\n`,
    );
    return `*1\r\n*4\r\n:0\r\n:16383\r\n${places.join('')}`;
  });
  // So that they are asked often.
  const { proxy } = await proxyFor(t, cluster.plan(), { maxLagMs: 400 });
  let since = 0;
  let before = '';
  await eventually('that its nodes stay the same', () => {
    const nodes = proxy.status()[0]?.nodes ?? [];
    const addresses = nodes.map(({ address }) => address).join(' ');
    if (addresses !== before) since = maps;
    before = addresses;
    // Of both, each time.
    return maps - since > 2 * 20 || undefined;
  });
});

/** Connections to `port` are neither made nor refused from now on. */
function dropPackets(t: TestContext, port: number): void {
  const { connect } = net;
  t.mock.method(net, 'connect', (place: net.TcpNetConnectOpts, then?: () => void) =>
    place.port === port ? Object.assign(new Socket(), { connecting: true }) : connect(place, then),
  );
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
}

function planFrom(cluster: ScriptedCluster, seeds: readonly number[]): RoutingPlan {
  const plan = cluster.plan();
  const change = (upstream: Upstream): Upstream =>
    upstream.mode === 'cluster'
      ? {
          ...upstream,
          seeds: seeds.map((node) => ({ address: '127.0.0.1', port: cluster.nodes[node]!.port })),
        }
      : upstream;
  return {
    ...plan,
    upstreams: new Map(Array.from(plan.upstreams, ([id, upstream]) => [id, change(upstream)])),
  };
}

test('a seed that can not be connected to is not waited for once another one has answered', async (t) => {
  const cluster = await clusterThat(t, 2, () => undefined);
  dropPackets(t, cluster.nodes[1]!.port);
  const { proxy } = await proxyFor(t, planFrom(cluster, [1, 0]));
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
});

test('an address where connections are neither made nor refused holds up nobody who asks others', async (t) => {
  const cluster = await clusterThat(t, 3, (words) => (isWrite(words) ? '+OK\r\n' : undefined));
  cluster.slots = [
    [0, 0, 0],
    [1, 16_383, 1],
  ];
  const { port, proxy } = await proxyFor(t, planFrom(cluster, [0]), { failoverWaitMs: 15_000 });
  const states = (): string =>
    proxy
      .status()[0]
      ?.nodes.map(({ state }) => state)
      .join(' ') ?? '';
  await eventually('that all are fit', () => states() === 'fit fit' || undefined, { seen: states });
  dropPackets(t, cluster.nodes[1]!.port);
  for (const socket of cluster.nodes[1]!.sockets) socket.destroy();
  await eventually('its being missing', () => states().includes('no connection') || undefined, {
    seen: states,
  });
  const maps = (): number => cluster.nodes[0]!.asked.filter((words) => words === 'CLUSTER SLOTS').length;
  const before = maps();
  await eventually('the others being asked', () => maps() > before + 2 || undefined);
  cluster.slots = [
    [0, 0, 0],
    [1, 16_383, 2],
  ];
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), '+OK\r\n');
});
