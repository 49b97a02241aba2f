import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat, type ScriptedCluster } from './scripted-cluster.ts';
import { clientOf, proxyFor, type Client } from './servers.ts';

const SLOT = slotOf(Buffer.from('k'), 0, 1);
const ANSWERS: Readonly<Record<string, string>> = {
  ASKING: '+OK\r\n',
  MULTI: '+OK\r\n',
  'ECHO a': '+QUEUED\r\n',
  'SET k 1': '+QUEUED\r\n',
  'SET k 2': '+QUEUED\r\n',
  EXEC: '*2\r\n+OK\r\n+OK\r\n',
};

/** Two nodes, and what the first says to a transaction's commands. */
async function setUp(
  t: TestContext,
  refusal: (cluster: ScriptedCluster) => string | undefined,
  failoverWaitMs = 20_000,
): Promise<{ readonly cluster: ScriptedCluster; readonly client: Client }> {
  const cluster: ScriptedCluster = await clusterThat(t, 2, (words, node) => {
    const isRefused = node === 0 && words.startsWith('SET');
    return (isRefused ? refusal(cluster) : undefined) ?? ANSWERS[words];
  });
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  return { cluster, client: clientOf(t, port) };
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

test('one whose keys nobody has is refused as a whole after a while', async (t) => {
  const refusal = '-CLUSTERDOWN Hash slot not served\r\n';
  const { client, cluster } = await setUp(t, () => refusal, 100);
  client.socket.write(ASKED);
  await replies(client, /^\+OK\r\n\+QUEUED\r\n-[^\r]*\r\n-[^\r]*\r\n-EXECABORT [^\r]*\r\n$/);
  assert.ok(!cluster.askedOf(0).includes('EXEC'));
});
