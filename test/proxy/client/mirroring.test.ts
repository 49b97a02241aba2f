import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { answer, copied, mirrored } from '../mirrored.ts';
import { clusterThat } from '../scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from '../servers.ts';

for (const [what, command, answered] of [
  ['refuses', 'SET k 1', "-READONLY You can't write against a read only replica.\r\n"],
  ['loses', 'SET k 1', undefined],
] as const) {
  test(`a copy (${command}) that a mirror ${what} is not tried again`, async (t) => {
    const main = await serverThat(t, () => '+OK\r\n');
    const mirror = await serverThat(t, (words, socket) => {
      if (words !== command) return '+PONG\r\n';
      if (answered === undefined) socket.destroy();
      return answered;
    });
    const plan = mirrored(planTo(main.port), planTo(mirror.port));
    const { port, proxy } = await proxyFor(t, plan, { failoverWaitMs: 20_000 });
    const client = clientOf(t, port);
    client.socket.write(`${command}\r\n`);
    const events = (name: string): number =>
      proxy.status().reduce((sum, status) => sum + (status.events[name] ?? 0), 0);
    await eventually('its being given up', () => events('failed') > 0 || undefined);
    assert.deepEqual(
      [main, mirror].map(({ asked }) => asked.filter((words) => words === command)),
      [[command], [command]],
    );
  });
}

test('a copy of a read that a node of a mirror loses is not asked of another one', async (t) => {
  const main = await serverThat(t, () => '+OK\r\n');
  const mirror = await clusterThat(t, 2, (words, _, socket) => {
    if (words === 'GET k') socket.destroy();
    return words === 'READONLY' ? '+OK\r\n' : undefined;
  });
  mirror.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(
    t,
    mirrored(planTo(main.port, { readPolicy: 'ANY' }), mirror.plan()),
  );
  const nodes = (): readonly { readonly isUp: boolean; readonly state: string }[] =>
    proxy.status().flatMap(({ id, nodes: those }) => (id === 'mirror' ? those : []));
  const areFit = (): boolean => nodes().length === 2 && nodes().every(({ state }) => state === 'fit');
  await eventually('its nodes', () => areFit() || undefined, { seen: () => JSON.stringify(nodes()) });
  clientOf(t, port).socket.write('GET k\r\n');
  const failed = (): number => proxy.status().reduce((sum, { events }) => sum + (events['failed'] ?? 0), 0);
  await eventually('its being given up', () => failed() > 0 || undefined);
  const asked = [0, 1].flatMap(mirror.askedOf).filter((words) => words === 'GET k');
  assert.deepEqual(asked, ['GET k']);
});

test('a mirror that does not answer gets no more than it can be behind, and delays nobody', async (t) => {
  const COUNT = 12_000;
  const main = await serverThat(t, () => '+OK\r\n');
  const mirror = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : undefined));
  // Else it would be passed by for its silence after a moment.
  const settings = { hedgeAfterMs: 60_000 };
  const { port } = await proxyFor(t, mirrored(planTo(main.port), planTo(mirror.port)), settings);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n'.repeat(COUNT));
  await eventually('all replies', () => client.got().length === 5 * COUNT || undefined);
  const copies = (): number => mirror.asked.filter((words) => words.startsWith('SET')).length;
  await eventually('the copies', () => copies() >= 10_000 || undefined);
  // One more may be under way when it is looked at.
  assert.ok(copies() <= 10_001, `${copies()} copies`);
});

test('a read that its mirror leaves out goes as it came, not in parts', async (t) => {
  const main = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '*0\r\n'));
  const mirror = await serverThat(t, () => '+PONG\r\n');
  const plan = mirrored(planTo(main.port), planTo(mirror.port), { excludeReads: true });
  const { port } = await proxyFor(t, plan);
  const client = clientOf(t, port);
  client.socket.write('MGET a b\r\n');
  await eventually('its reply', () => client.got() === '*0\r\n' || undefined);
  // Parts have their names in lower case.
  assert.deepEqual(
    main.asked.filter((words) => /get/i.test(words)),
    ['MGET a b'],
  );
});

test('all copies of a client go over one connection, also when its protocol or the read policy changes', async (t) => {
  const main = await serverThat(t, () => '+OK\r\n');
  const sockets = new Set<unknown>();
  let copies = 0;
  const mirror = await serverThat(t, (words, socket) => {
    if (words.startsWith('SET')) {
      copies += 1;
      sockets.add(socket);
    }
    return '+OK\r\n';
  });
  const plan = mirrored(planTo(main.port), planTo(mirror.port));
  const { port, proxy } = await proxyFor(t, plan);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\nHELLO 3\r\nSET k 2\r\n');
  await eventually('the copies', () => copies === 2 || undefined);
  const listeners = plan.listeners.map(({ bind, listener }) => ({
    bind,
    listener: { ...listener, readPolicy: 'ANY' as const },
  }));
  await proxy.update({ ...plan, listeners });
  client.socket.write('SET k 3\r\n');
  await eventually('the last copy', () => copies === 3 || undefined);
  assert.equal(sockets.size, 1);
});

test('a copy that is not answered is not asked elsewhere', async (t) => {
  const main = await serverThat(t, () => '$1\r\nx\r\n');
  const mirror = await clusterThat(t, 2, () => undefined);
  mirror.slots = [[0, 16_383, 0, 1]];
  const plan = mirrored(planTo(main.port), mirror.plan());
  const listeners = plan.listeners.map(({ bind, listener }) => ({
    bind,
    listener: { ...listener, readPolicy: 'ANY' as const },
  }));
  const { port, proxy } = await proxyFor(t, { ...plan, listeners }, { hedgeAfterMs: 200 });
  const nodes = () => proxy.status().flatMap((status) => status.nodes);
  await eventually(
    'a mirror of two',
    () => nodes().filter(({ state }) => state === 'fit').length >= 2 || undefined,
  );
  clientOf(t, port).socket.write('GET k\r\n');
  await eventually(
    'its node being silent',
    () => nodes().some(({ state }) => state === 'it does not answer') || undefined,
  );
  const gets = [0, 1].flatMap((node) => mirror.askedOf(node)).filter((words) => words.startsWith('GET'));
  assert.deepEqual(gets, ['GET k']);
  assert.equal(
    proxy.status().reduce((sum, { events }) => sum + (events['hedged'] ?? 0), 0),
    0,
  );
});

test('what a cluster would refuse for its keys is not copied, which a single server would carry out', async (t) => {
  const cluster = await clusterThat(t, 1, answer);
  const { copies, replies } = await copied(t, cluster.plan(), ['RENAME a b', 'RENAME {a}c a'], {
    isOfCluster: false,
  });
  // They may come later than the copies.
  const [first] = await eventually('its reply', () => {
    const lines = replies().split('\r\n');
    return lines.length > 1 ? lines : undefined;
  });
  assert.equal(first, "-CROSSSLOT Keys in request don't hash to the same slot");
  assert.deepEqual(copies, [['RENAME {a}c a']]);
});
