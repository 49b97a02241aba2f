import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { Upstream } from '../../src/plan/routing-plan.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const NOT_BUSY = '-NOTBUSY No scripts in execution right now.\r\n';
const UNKILLABLE = '-UNKILLABLE Sorry the script already executed write commands.\r\n';

/** What a client gets for SCRIPT KILL where three nodes, a primary and its replicas, say that. */
async function killed(t: TestContext, says: readonly [string, string, string]): Promise<string> {
  const cluster = await clusterThat(t, 3, (words, node) =>
    words === 'SCRIPT KILL' ? says[node] : words === 'READONLY' ? '-BUSY Redis is busy\r\n' : undefined,
  );
  cluster.slots = [[0, 16_383, 0, 1, 2]];
  const { port, proxy } = await proxyFor(t, cluster.plan('ANY'));
  await eventually('all nodes', () => proxy.status()[0]?.nodes.length === 3 || undefined);
  const client = clientOf(t, port);
  client.socket.write('SCRIPT KILL\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  return client.got();
}

test('a script is killed wherever it runs, at a replica, too', async (t) => {
  assert.equal(await killed(t, [NOT_BUSY, NOT_BUSY, '+OK\r\n']), '+OK\r\n');
});

test('where no node runs a script that is what is said', async (t) => {
  assert.equal(await killed(t, [NOT_BUSY, NOT_BUSY, NOT_BUSY]), NOT_BUSY);
});

test('one that can not be killed is told of, rather than that others run none', async (t) => {
  assert.equal(await killed(t, [NOT_BUSY, UNKILLABLE, NOT_BUSY]), UNKILLABLE);
});

test('servers for reads are asked to kill, too, and each server once', async (t) => {
  const says = (role: string) => (words: string) => {
    if (words === 'SCRIPT KILL') return NOT_BUSY;
    return words.startsWith('INFO') ? `$${role.length}\r\n${role}\r\n` : '+PONG\r\n';
  };
  const primary = await serverThat(t, says('role:master\r\n'));
  const replica = await serverThat(t, says('role:slave\r\nmaster_link_status:up\r\n'));
  const reads = { address: '127.0.0.1', port: replica.port };
  const plan = planTo(primary.port, { reads, readPolicy: 'PREFER_REPLICA' });
  // The primary is among its servers for reads, and each of those stands there twice.
  const twice = (upstream: Upstream): Upstream =>
    upstream.mode === 'reads' ? { ...upstream, groups: [...upstream.groups, ...upstream.groups] } : upstream;
  const upstreams = new Map(Array.from(plan.upstreams, ([id, upstream]) => [id, twice(upstream)]));
  const { port, proxy } = await proxyFor(t, { ...plan, upstreams });
  await eventually('all asked', () => {
    const nodes = proxy.status().flatMap((upstream) => upstream.nodes);
    return (nodes.length === 5 && nodes.every(({ isUp }) => isUp)) || undefined;
  });
  const client = clientOf(t, port);
  client.socket.write('SCRIPT KILL\r\n');
  await eventually('the reply', () => client.got() === NOT_BUSY || undefined);
  const asked = [primary, replica].map((server) => server.asked.filter((words) => words === 'SCRIPT KILL'));
  assert.deepEqual(asked, [['SCRIPT KILL'], ['SCRIPT KILL']]);
});

test('nobody waits for a replica that is gone', async (t) => {
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (node === 1) socket.destroy();
    return words === 'SCRIPT KILL' ? '+OK\r\n' : undefined;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 60_000 });
  await eventually(
    'its end',
    () => proxy.status()[0]?.nodes.some(({ state }) => state.startsWith('no connection')) || undefined,
  );
  const client = clientOf(t, port);
  client.socket.write('SCRIPT KILL\r\n');
  await eventually('the reply', () => client.got() === '+OK\r\n' || undefined);
});

test('where one has ended a script, nobody waits for a replica that is silent; else it may be the one', async (t) => {
  let says = NOT_BUSY;
  const waiting: Socket[] = [];
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (words !== 'SCRIPT KILL') return undefined;
    if (node === 0) return says;
    waiting.push(socket);
    return undefined;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('all nodes', () => proxy.status()[0]?.nodes.length === 2 || undefined);
  const client = clientOf(t, port);
  const kill = async (): Promise<void> => {
    client.socket.write('SCRIPT KILL\r\n');
    const count = waiting.length + 1;
    await eventually('its being asked', () => waiting.length === count || undefined);
  };
  await kill();
  client.socket.write('PING\r\n');
  await eventually('the other reply', () => cluster.askedOf(0).includes('SCRIPT KILL') || undefined);
  assert.equal(client.got(), '');
  waiting[0]?.write('+OK\r\n');
  await eventually('the replies', () => client.got() === '+OK\r\n+PONG\r\n' || undefined);
  says = '+OK\r\n';
  await kill();
  await eventually('the reply', () => client.got() === '+OK\r\n+PONG\r\n+OK\r\n' || undefined);
  // What it says later is nobody's.
  waiting[1]?.write(NOT_BUSY);
  client.socket.write('PING\r\n');
  await eventually('the next', () => client.got().endsWith('+OK\r\n+PONG\r\n') || undefined);
});

for (const [version, nothing] of [
  [2, '*4\r\n$14\r\nrunning_script\r\n$-1\r\n$7\r\nengines\r\n*0\r\n'],
  [3, '%2\r\n$14\r\nrunning_script\r\n_\r\n$7\r\nengines\r\n%0\r\n'],
] as const) {
  test(`FUNCTION STATS tells of the function that runs, whichever node it is, in RESP${version}`, async (t) => {
    const running = nothing.replace(/(?:\$-1|_)\r/, '*0\r');
    const cluster = await clusterThat(t, 3, (words, node) => {
      if (words.startsWith('HELLO')) return '%0\r\n';
      if (words === 'FUNCTION STATS') return node === atWork ? running : nothing;
      return undefined;
    });
    let atWork: number | undefined;
    cluster.slots = [
      [0, 5_000, 0],
      [5_001, 10_000, 1],
      [10_001, 16_383, 2],
    ];
    const { port } = await proxyFor(t, cluster.plan());
    const client = clientOf(t, port);
    const others = clientOf(t, port);
    // Over the connections that all share nothing comes any more.
    others.socket.write(`HELLO ${version}\r\nFCALL slow 1 a\r\nFCALL slow 1 b\r\nFCALL slow 1 c\r\n`);
    const isAsked = (node: number): boolean =>
      cluster.askedOf(node).some((words) => words.startsWith('FCALL'));
    await eventually('all at work', () => [0, 1, 2].every(isAsked) || undefined);
    client.socket.write(`HELLO ${version}\r\nFUNCTION STATS\r\n`);
    await eventually('nobody is', () => client.got().endsWith(nothing) || undefined);
    for (atWork of [0, 1, 2]) {
      const before = client.got().length;
      client.socket.write('FUNCTION STATS\r\n');
      await eventually('the reply', () => client.got().slice(before) === running || undefined);
    }
  });
}
