import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat, type ScriptedCluster } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat, type Client } from './servers.ts';

const SLOT = slotOf(Buffer.from('k'), 0, 1);
const ANSWERS: Readonly<Record<string, string>> = {
  ASKING: '+OK\r\n',
  MULTI: '+OK\r\n',
  'ECHO a': '+QUEUED\r\n',
  'SET k 1': '+QUEUED\r\n',
  'SET k 2': '+QUEUED\r\n',
  EXEC: '*2\r\n+OK\r\n+OK\r\n',
  'BLPOP k 0': '*2\r\n$1\r\nk\r\n$1\r\nx\r\n',
};

const REFUSED = /^(?:SET|BLPOP)/;
const LOADING = '-LOADING Redis is loading the dataset in memory\r\n';

/** Two nodes, and what the first says to a transaction's commands. */
async function setUp(
  t: TestContext,
  refusal: (cluster: ScriptedCluster, socket: Socket) => string | undefined,
  { failoverWaitMs = 20_000, alsoRefused = '' } = {},
): Promise<{
  readonly cluster: ScriptedCluster;
  readonly client: Client;
  readonly port: number;
  readonly proxy: Proxy;
}> {
  const cluster: ScriptedCluster = await clusterThat(t, 2, (words, node, socket) => {
    const isRefused = node === 0 && (REFUSED.test(words) || words === alsoRefused);
    return (isRefused ? refusal(cluster, socket) : undefined) ?? ANSWERS[words];
  });
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  return { cluster, client: clientOf(t, port), port, proxy };
}

async function replies(client: Client, wanted: RegExp): Promise<void> {
  await eventually('the replies', () => wanted.test(client.got()) || undefined, {
    seen: () => client.got(),
  });
}

const ASKED = 'MULTI\r\nECHO a\r\nSET k 1\r\nSET k 2\r\nEXEC\r\n';
const CARRIED_OUT = /^\+OK\r\n(?:\+QUEUED\r\n){3}\*2\r\n\+OK\r\n\+OK\r\n$/;
const COMMANDS = ['MULTI', 'ECHO a', 'SET k 1', 'SET k 2', 'EXEC'];

test('a transaction whose keys have moved is carried out at their new node', async (t) => {
  const { cluster, client } = await setUp(t, ({ addressOf }) => `-MOVED ${SLOT} ${addressOf(1)}\r\n`);
  client.socket.write(ASKED);
  await replies(client, CARRIED_OUT);
  assert.deepEqual(cluster.askedOf(1), COMMANDS);
  assert.deepEqual(cluster.askedOf(0), COMMANDS.slice(0, 3));
});

test('so is one of a client that has ended its direction behind it', async (t) => {
  let say = (): void => {};
  const { cluster, port } = await setUp(t, ({ addressOf }, socket) => {
    say = () => void socket.write(`-MOVED ${SLOT} ${addressOf(1)}\r\n`);
    return '';
  });
  const client = clientOf(t, port, true);
  client.socket.end(ASKED);
  await eventually('the command', () => cluster.askedOf(0).includes('SET k 1') || undefined);
  const other = clientOf(t, port);
  other.socket.write('PING\r\n');
  // By then its end has come, too.
  await eventually('a reply', () => other.got() !== '' || undefined);
  say();
  await replies(client, CARRIED_OUT);
});

test('one whose first commands are refused by a node that loads begins anew', async (t) => {
  let isLoading = true;
  const { cluster, client } = await setUp(t, () => (isLoading ? LOADING : undefined), {
    alsoRefused: 'ECHO a',
  });
  client.socket.write(ASKED);
  await eventually('the refusal', () => cluster.askedOf(0).includes('ECHO a') || undefined);
  isLoading = false;
  await replies(client, CARRIED_OUT);
});

test('one whose connection is lost before its keys are known begins anew', async (t) => {
  let isLost = false;
  const { cluster, client } = await setUp(t, (_, socket) => {
    if (isLost) return undefined;
    isLost = true;
    socket.destroy();
    return '';
  });
  client.socket.write(ASKED);
  await replies(client, CARRIED_OUT);
  assert.deepEqual(cluster.askedOf(0), [...COMMANDS.slice(0, 3), ...COMMANDS]);
});

test('one whose keys are on their way is carried out where they go', async (t) => {
  const { cluster, client } = await setUp(t, ({ addressOf }) => `-ASK ${SLOT} ${addressOf(1)}\r\n`);
  client.socket.write(ASKED);
  await replies(client, CARRIED_OUT);
  assert.deepEqual(cluster.askedOf(1), ['ASKING', ...COMMANDS]);
});

test('one whose slot is half moved waits until it is whole', async (t) => {
  let isHalf = true;
  const { client, cluster } = await setUp(t, () =>
    isHalf ? '-TRYAGAIN Multiple keys request during rehashing of slot\r\n' : undefined,
  );
  client.socket.write(ASKED);
  await eventually('it being tried again', () =>
    cluster.askedOf(0).filter((words) => words === 'SET k 1').length > 1 ? true : undefined,
  );
  isHalf = false;
  await replies(client, CARRIED_OUT);
});

test('a redirection that can not be followed is not waited for', async (t) => {
  const { client, cluster } = await setUp(t, ({ addressOf }) => `-MOVED ${SLOT + 1} ${addressOf(1)}\r\n`);
  client.socket.write('MULTI\r\nSET k 1\r\n');
  await replies(client, /^\+OK\r\n-[^\r]*\r\n$/);
  assert.deepEqual(cluster.askedOf(0), ['MULTI', 'SET k 1']);
});

for (const [what, refusal, wanted] of [
  ['nobody has', '-CLUSTERDOWN Hash slot not served\r\n', /-CLUSTERDOWN Hash slot not served/],
  ['a node has that is loading', LOADING, /-LOADING [^\r]*/],
] as const) {
  test(`one whose keys ${what} is refused as a whole after a while, and the client told why`, async (t) => {
    const { client, cluster } = await setUp(t, () => refusal, { failoverWaitMs: 100 });
    client.socket.write(ASKED);
    await replies(client, /EXECABORT/);
    const [, , said = '', , exec = ''] = client.got().split('\r\n');
    assert.match(said, wanted);
    assert.match(exec, /^-EXECABORT /);
    assert.ok(!cluster.askedOf(0).includes('EXEC'));
  });
}

for (const command of ['BLPOP k 0', 'MULTI\r\nSET k 1']) {
  test(`${command.replace('\r\n', ', ')}: two nodes that send it to each other: an error after five hops`, async (t) => {
    const name = command.split('\r\n').pop();
    const cluster: ScriptedCluster = await clusterThat(t, 2, (words, node) => {
      if (words === name) return `-MOVED ${SLOT} ${cluster.addressOf(1 - node)}\r\n`;
      return ANSWERS[words];
    });
    const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write(`${command}\r\n`);
    await replies(client, /-upstream failure: redirected more than 5 times\r\n$/);
    const asked = [0, 1].flatMap((node) => cluster.askedOf(node)).filter((words) => words === name);
    assert.equal(asked.length, 6);
  });
}

test('one that waits while the plan changes is carried out where it was to', async (t) => {
  let isLoading = true;
  const { client, cluster, proxy } = await setUp(t, () => (isLoading ? LOADING : undefined));
  const other = await serverThat(t, () => '+OK\r\n');
  client.socket.write('MULTI\r\nSET k 1\r\n');
  await eventually(
    'its being refused',
    () => cluster.askedOf(0).some((words) => REFUSED.test(words)) || undefined,
  );
  await proxy.update(planTo(other.port));
  const asked = cluster.nodes[0]!.asked.length;
  await eventually('its node being asked on', () => cluster.nodes[0]!.asked.length > asked + 20 || undefined);
  isLoading = false;
  await replies(client, /QUEUED\r\n$/);
});
