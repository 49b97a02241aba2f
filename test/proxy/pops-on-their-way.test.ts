/**
 * What has been taken out of a list for a client, and is on its way while the proxy has ceased to wait for it there: nobody else
 * has it. The server here says it as it is told that nobody waits any more, which is as late as Redis ever does.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat, type Client, type Server } from './servers.ts';
import { planToServers } from './several-servers.ts';

const POPPED = '*2\r\n$1\r\nk\r\n$1\r\nx\r\n';
const ELSEWHERE = '*2\r\n$1\r\nk\r\n$1\r\ny\r\n';
const SLOT = slotOf(Buffer.from('k'), 0, 1);
const WAITS = /^(?:B|XREAD)/;

/** Says it last, before its own direction ends. */
function atTheEnd(socket: Socket, reply: string): undefined {
  socket.prependOnceListener('end', () => socket.write(reply));
}

async function answering(t: TestContext, answer: (socket: Socket) => string | undefined): Promise<Server> {
  return await serverThat(t, (words, socket) => (WAITS.test(words) ? answer(socket) : '+PONG\r\n'));
}

const waiting = ({ asked }: Pick<Server, 'asked'>): readonly string[] =>
  asked.filter((words) => WAITS.test(words));

function planAt({ port }: Server): RoutingPlan {
  const endpoint = { address: '127.0.0.1', port, hashKey: `server-${port}` };
  return planToServers({ kind: 'endpoints', endpoints: [endpoint] });
}

async function waitsAt(server: Pick<Server, 'asked'>): Promise<void> {
  await eventually('it', () => waiting(server).length > 0 || undefined);
}

async function told(client: Client): Promise<string> {
  return await eventually('the reply', () => client.got() || undefined);
}

/** Waits at `former` until the plan has its key at `later`. */
async function takenAlong(
  t: TestContext,
  { command, former, later }: { command: string; former: Server; later: Server },
): Promise<{ readonly client: Client }> {
  const { port, proxy } = await proxyFor(t, planAt(former), { drainMs: 100 });
  const client = clientOf(t, port);
  client.socket.write(`${command}\r\n`);
  await waitsAt(former);
  await proxy.update(planAt(later));
  return { client };
}

for (const command of [
  'BLPOP k 0',
  'BRPOP k 0',
  'BLMPOP 0 1 k LEFT',
  'BZPOPMIN k 0',
  'BZMPOP 0 1 k MIN',
  'BLMOVE k l LEFT LEFT 0',
  'XREADGROUP GROUP g c BLOCK 0 STREAMS k >',
]) {
  test(`${command}: what is on its way while the plan changes is its client's`, async (t) => {
    const former = await answering(t, (socket) => atTheEnd(socket, POPPED));
    const later = await answering(t, () => ELSEWHERE);
    const { client } = await takenAlong(t, { command, former, later });
    assert.equal(await told(client), POPPED);
    assert.deepEqual(waiting(later), []);
    // The connection it came over is nobody's.
    client.socket.write('BLPOP k 0\r\n');
    await eventually('the next', () => client.got() === POPPED + ELSEWHERE || undefined);
  });
}

for (const [what, last] of [
  ['nothing', ''],
  ["that it is another's", `-MOVED ${SLOT} 127.0.0.1:1\r\n`],
  ['that it is sent away', '-UNBLOCKED force unblock from blocking operation\r\n'],
] as const) {
  test(`a pop whose server says ${what} at last is asked elsewhere`, async (t) => {
    const former = await answering(t, (socket) => atTheEnd(socket, last));
    const later = await answering(t, () => ELSEWHERE);
    const { client } = await takenAlong(t, { command: 'BLPOP k 0', former, later });
    assert.equal(await told(client), ELSEWHERE);
  });
}

test('a server that does not end is not waited for, and what it says then counts for nobody', async (t) => {
  let late = (): void => {};
  const former = await answering(t, (socket) => {
    socket.allowHalfOpen = true;
    late = () => void socket.write(POPPED);
    return undefined;
  });
  const later = await answering(t, () => ELSEWHERE);
  const { client } = await takenAlong(t, { command: 'BLPOP k 0', former, later });
  assert.equal(await told(client), ELSEWHERE);
  late();
  client.socket.write('BLPOP k 0\r\n');
  await eventually('the next', () => client.got() === ELSEWHERE + ELSEWHERE || undefined);
});

test("what is on its way while a route goes away is its client's", async (t) => {
  const redis = await answering(t, (socket) => atTheEnd(socket, POPPED));
  const { port, proxy } = await proxyFor(t, planAt(redis), { drainMs: 100 });
  const client = clientOf(t, port);
  client.socket.write('BLPOP k 0\r\n');
  await waitsAt(redis);
  const plan = planAt(redis);
  const listeners = plan.listeners.map(({ bind, listener }) => {
    const routes = { ...listener.routes, catchAll: undefined };
    return { bind, listener: { ...listener, routes } };
  });
  await proxy.update({ ...plan, listeners });
  assert.equal(await told(client), POPPED);
});

for (const [whose, slots] of [
  ['has left its cluster', [[0, 16_383, 1]]],
  ['is a replica by now', [[0, 16_383, 1, 0]]],
] as const) {
  test(`what is on its way from a primary that is loading, and ${whose}, is its client's`, async (t) => {
    let isLoading = false;
    const cluster = await clusterThat(t, 2, (words, node, socket) => {
      if (node === 1) return WAITS.test(words) ? ELSEWHERE : undefined;
      if (WAITS.test(words)) return atTheEnd(socket, POPPED);
      return isLoading && !words.startsWith('CLUSTER')
        ? '-LOADING Redis is loading the dataset\r\n'
        : undefined;
    });
    cluster.slots = [
      [0, SLOT, 0],
      [SLOT + 1, 16_383, 1],
    ];
    const { port, proxy } = await proxyFor(t, cluster.plan());
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write('BLPOP k 0\r\n');
    await waitsAt(cluster.nodes[0]!);
    isLoading = true;
    const node = () => proxy.status()[0]!.nodes.find(({ address }) => address === cluster.addressOf(0));
    const other = clientOf(t, port);
    other.socket.write('SET k 1\r\n');
    await eventually('its loading', () => node()?.state === 'LOADING' || undefined);
    cluster.slots = slots;
    assert.equal(await told(client), POPPED);
  });
}

test('a client that ends its direction gets what is on its way, and is let go', async (t) => {
  const redis = await answering(t, (socket) => atTheEnd(socket, POPPED));
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port, true);
  client.socket.write('BLPOP k 0\r\n');
  await waitsAt(redis);
  client.socket.end();
  await eventually('the end', () => client.hasEnded || undefined);
  assert.equal(client.got(), POPPED);
});

for (const [what, plan] of [
  ['the proxy ends', undefined],
  ['its listener is removed', (before: RoutingPlan): RoutingPlan => ({ ...before, listeners: [] })],
] as const) {
  test(`a client gets what is on its way where ${what}`, async (t) => {
    const redis = await answering(t, (socket) => atTheEnd(socket, POPPED));
    const before = planTo(redis.port);
    const { port, proxy } = await proxyFor(t, before, { drainMs: 100 });
    const client = clientOf(t, port);
    client.socket.write('BLPOP k 0\r\n');
    await waitsAt(redis);
    await (plan === undefined ? proxy.close() : proxy.update(plan(before)));
    await eventually('the end', () => client.hasEnded || undefined);
    assert.equal(client.got(), POPPED);
  });
}
