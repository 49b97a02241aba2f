/**
 * When nodes are asked what the cluster looks like, who is asked, and whose word counts.
 */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat, type Range, type ScriptedCluster } from './scripted-cluster.ts';
import { clientOf, proxyFor, serverThat, type Server, planTo } from './servers.ts';

const SLOT = slotOf(Buffer.from('k'), 0, 1);
const LAST = 16_383;
/** Without a reason to hurry they are asked so often. */
const USUALLY_MS = 1_000;

const isMap = (words: string): boolean => words.toUpperCase() === 'CLUSTER SLOTS';
const isInfo = (words: string): boolean => words.toUpperCase() === 'CLUSTER INFO';
const isWrite = (words: string): boolean => words.startsWith('SET ');

type Ask = (words: string) => Promise<string>;

/** A client of a proxy that knows what the nodes said at first. */
async function clientBefore(t: TestContext, plan: RoutingPlan): Promise<Ask> {
  const { proxy, port } = await proxyFor(t, plan, { failoverWaitMs: 30_000 });
  await eventually('every node being known', () => {
    const nodes = proxy.status()[0]?.nodes ?? [];
    return (nodes.length > 0 && nodes.every(({ state }) => state === 'fit')) || undefined;
  });
  const client = clientOf(t, port);
  return async (words) => {
    const before = client.got().length;
    client.socket.write(`${words}\r\n`);
    return await eventually(`the reply to ${words}`, () => client.got().slice(before) || undefined);
  };
}

/** What the nodes say now has been heard, of the map and, which comes last, of themselves. */
async function heard({ nodes: [first] }: ScriptedCluster): Promise<void> {
  const count = (): number =>
    first?.asked.filter((words) => words.toUpperCase() === 'CLUSTER NODES').length ?? 0;
  const before = count();
  await eventually('the questions', () => count() >= before + 2 || undefined);
}

test('a proxy is ready once a node has said what the cluster looks like', async (t) => {
  let isTelling = false;
  const cluster = await clusterThat(t, 1, (words) =>
    isMap(words) && !isTelling ? '-ERR not yet\r\n' : undefined,
  );
  const { proxy, lines } = await proxyFor(t, cluster.plan());
  await eventually('its asking', () => lines.some((line) => line.includes('not yet')) || undefined);
  assert.match(proxy.notReady() ?? '', /the topology of .* is not known yet/);
  isTelling = true;
  await eventually('ready', () => proxy.notReady() === undefined || undefined);
});

const moved = (cluster: ScriptedCluster): string => `-MOVED ${SLOT} ${cluster.addressOf(1)}\r\n`;
for (const [what, command, answer, followRedirections] of [
  ['a redirection', 'SET k 1', moved, true],
  ["a redirection on a client's own connection", 'WATCH k', moved, true],
  ['a redirection that is not followed', 'SET k 1', moved, false],
  ['a connection that is closed', 'SET k 1', () => undefined, true],
] as const) {
  test(`${what} has the map asked for at once`, async (t) => {
    let lastAt = 0;
    let soonest = Infinity;
    const cluster = await clusterThat(t, 2, (words, node, socket) => {
      if (isWrite(words) || words === command) {
        if (node === 1 || words !== command) return '+OK\r\n';
        const reply = answer(cluster);
        if (reply === undefined) socket.destroy();
        return reply;
      }
      if (words === 'UNWATCH') return '+OK\r\n';
      if (node === 0 && isMap(words)) {
        const now = performance.now();
        soonest = Math.min(soonest, now - lastAt);
        lastAt = now;
      }
      return undefined;
    });
    const plan = cluster.plan();
    const listeners = plan.listeners.map(({ bind, listener }) => ({
      bind,
      listener: { ...listener, followRedirections },
    }));
    const ask = await clientBefore(t, { ...plan, listeners });
    // At first, and until all answers are there, there are other reasons to hurry.
    await heard(cluster);
    for (let count = 0; count < 3; count++) await ask('SET other 1');
    soonest = Infinity;
    // Of several tries one is quick enough, however slow the machine is.
    await eventually(
      'a question before its time',
      async () => {
        await ask(command);
        // Else it would be asked next over the connection to which this one has led.
        await ask('UNWATCH');
        return soonest < USUALLY_MS / 2 || undefined;
      },
      { everyMs: 300, seen: () => `${soonest} ms` },
    );
  });
}

test('however many redirections there are, one map is asked for at a time', async (t) => {
  let underWay = 0;
  let most = 0;
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (isWrite(words)) {
      const key = Buffer.from(words.split(' ')[1] ?? '');
      return node === 1 ? '+OK\r\n' : `-MOVED ${slotOf(key, 0, key.length)} ${cluster.addressOf(1)}\r\n`;
    }
    // In the order of the questions.
    if (node === 0 && underWay > 0 && isInfo(words)) return '';
    if (node !== 0 || !isMap(words)) return undefined;
    underWay += 1;
    most = Math.max(most, underWay);
    setTimeout(() => {
      underWay -= 1;
      socket.write(cluster.saying(cluster.slots) + epoch(1));
    }, 100);
    return '';
  });
  const ask = await clientBefore(t, cluster.plan());
  const asked = (): number => cluster.nodes[0]?.asked.filter(isMap).length ?? 0;
  const before = asked();
  // Each key once: the proxy knows from then on where its slot is.
  for (let key = 0; asked() < before + 4; key++) await ask(`SET ${key} 1`);
  assert.equal(most, 1);
});

const WHOLE: readonly Range[] = [
  [0, 1, 2],
  [2, SLOT, 1],
  [SLOT + 1, LAST, 0],
];
const epoch = (number: number): string => {
  const text = `cluster_state:ok\r\ncluster_current_epoch:${number}\r\n`;
  return `$${text.length}\r\n${text}\r\n`;
};

for (const [what, slots, epochs] of [
  ['all slots', [[SLOT - 9, LAST, 0]], [1, 1, 1]],
  ['the newest epoch', [[0, LAST, 0]], [1, 2, 2]],
] as const satisfies readonly (readonly [string, readonly Range[], readonly number[]])[]) {
  test(`of several nodes that is believed which tells of ${what}`, async (t) => {
    let isAtOdds = false;
    const cluster = await clusterThat(t, 3, (words, node) => {
      if (isWrite(words)) return '+OK\r\n';
      if (!isAtOdds) return isInfo(words) ? epoch(1) : undefined;
      if (isInfo(words)) return epoch(epochs[node]!);
      return isMap(words) ? cluster.saying(node === 0 ? slots : WHOLE) : undefined;
    });
    // So that all three are asked.
    cluster.slots = [
      [0, 1, 1],
      [2, 3, 2],
      [4, LAST, 0],
    ];
    const ask = await clientBefore(t, cluster.plan());
    isAtOdds = true;
    await heard(cluster);
    await ask('SET k 1');
    assert.deepEqual(cluster.askedOf(1), ['SET k 1']);
  });
}

test('a map that lacks slots does not replace one that has them', async (t) => {
  const cluster = await clusterThat(t, 3, (words) => (isWrite(words) ? '+OK\r\n' : undefined));
  cluster.slots = WHOLE;
  const ask = await clientBefore(t, cluster.plan());
  cluster.slots = [[SLOT + 1, LAST, 0]];
  await heard(cluster);
  assert.equal(await ask('SET k 1'), '+OK\r\n');
  assert.deepEqual(cluster.askedOf(1), ['SET k 1']);
});

test('a seed is asked again when no node that is known answers', async (t) => {
  const cluster = await clusterThat(t, 3, (words) => (isWrite(words) ? '+OK\r\n' : undefined));
  // The seed is none of them.
  cluster.slots = [[0, LAST, 1]];
  const ask = await clientBefore(t, cluster.plan());
  cluster.silent.add(1);
  cluster.slots = [[0, LAST, 2]];
  await eventually('the other node', async () => (await ask('SET k 1')) === '+OK\r\n' || undefined);
  assert.ok(cluster.askedOf(2).includes('SET k 1'));
});

test('the name of a seed is looked up each time that it is asked', async (t) => {
  const [BEFORE, NOW] = ['127.0.0.31', '127.0.0.32'];
  let address = BEFORE;
  const serverAt = async (host: string, port: number): Promise<Server> => {
    const server: Server = await serverThat(
      t,
      (words) => {
        if (host !== address) return undefined;
        if (isWrite(words)) return '+OK\r\n';
        if (isInfo(words)) return epoch(1);
        const map = `*1\r\n*3\r\n:0\r\n:${LAST}\r\n*2\r\n$${host.length}\r\n${host}\r\n:${server.port}\r\n`;
        return isMap(words) ? map : '+PONG\r\n';
      },
      { host, port },
    );
    return server;
  };
  const { port } = await serverAt(BEFORE, 0);
  const other = await serverAt(NOW, port);
  const { lookup } = dns;
  type Tell = (error: Error | null, found: dns.LookupAddress[]) => void;
  t.mock.method(dns, 'lookup', (name: string, options: dns.LookupAllOptions, tell: Tell) => {
    if (name === 'redis.test') tell(null, [{ address, family: 4 }]);
    else lookup(name, options, tell);
  });
  const plan = planTo(port, { upstream: { address: 'redis.test', port }, mode: 'cluster' });
  const ask = await clientBefore(t, plan);
  address = NOW;
  await eventually('the other node', async () => (await ask('SET k 1')) === '+OK\r\n' || undefined);
  assert.ok(other.asked.includes('SET k 1'));
});

test('while a node is silent the others are asked as often as the maximum lag of replicas wants', async (t) => {
  const times = 5;
  const askedAt: number[] = [];
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (node === 0 && words === 'PING') askedAt.push(performance.now());
    return undefined;
  });
  cluster.slots = [
    [0, 99, 0],
    [100, LAST, 1],
  ];
  // So they are asked every 100 ms; a question to one that is silent is waited for five times as long.
  const { proxy } = await proxyFor(t, cluster.plan(), { maxLagMs: 400 });
  const states = (): string => (proxy.status()[0]?.nodes ?? []).map(({ state }) => state).join();
  await eventually('both', () => states() === 'fit,fit' || undefined, { seen: states });
  cluster.silent.add(1);
  await eventually('its silence', () => states().includes('it does not answer') || undefined, {
    seen: states,
  });
  const from = askedAt.length;
  // However slow the machine is, it is not always slow.
  await eventually('a few questions, one soon after the other', () => {
    const tookMs = askedAt.slice(from + times).map((at, index) => at - askedAt[from + index]!);
    return tookMs.some((ms) => ms < times * 300) || undefined;
  });
});
