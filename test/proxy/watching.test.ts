import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import type { Fault } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat } from './scripted-cluster.ts';
import { array, clientOf, planTo, proxyFor, serverThat, withFault, type Client } from './servers.ts';

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';
const VALUE = '$1\r\nx\r\n';
const ABORTED = '-EXECABORT Transaction discarded because of previous errors.\r\n';
const MOVED = '-TRYAGAIN The keys of this transaction have just moved to another node\r\n';

async function replies(client: Client, wanted: string): Promise<void> {
  await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
    seen: () => client.got(),
  });
  assert.equal(client.got(), wanted);
}

const answers: Readonly<Record<string, string>> = {
  'GET k': VALUE,
  'SET k 1': QUEUED,
  EXEC: '*1\r\n+OK\r\n',
  PING: '+PONG\r\n',
};

/** A Redis that notes on which connection it was asked what. */
async function setUp(t: TestContext, change: (plan: RoutingPlan) => RoutingPlan = (plan) => plan) {
  const asked: (readonly [words: string, connection: unknown])[] = [];
  const redis = await serverThat(t, (words, socket) => {
    asked.push([words, socket]);
    const [kind = '', channel = ''] = words.split(' ');
    return kind.endsWith('subscribe') ? array(kind, channel, ':1') : (answers[words] ?? OK);
  });
  const { port, proxy } = await proxyFor(t, change(planTo(redis.port)));
  const connectionsOf = (words: string): readonly unknown[] =>
    asked.filter(([each]) => each === words).map(([, connection]) => connection);
  const connectionOf = (words: string): unknown => connectionsOf(words)[0];
  return { redis, proxy, client: clientOf(t, port), connectionOf, connectionsOf };
}

test('who subscribes goes on watching, and leaves its connection to the next transaction', async (t) => {
  const { client, connectionOf, connectionsOf } = await setUp(t);
  client.socket.write('HELLO 3\r\n');
  await eventually('RESP3', () => client.got().includes('proto') || undefined);
  const greeting = client.got();
  client.socket.write('WATCH k\r\nSUBSCRIBE n\r\nMULTI\r\nSET k 1\r\nEXEC\r\n');
  await replies(
    client,
    `${greeting}${OK}${array('subscribe', 'n', ':1').replace('*', '>')}${OK}${QUEUED}*1\r\n+OK\r\n`,
  );
  assert.equal(connectionOf('EXEC'), connectionOf('WATCH k'));
  client.socket.write('MULTI\r\nSET k 1\r\nEXEC\r\n');
  await eventually('the next one', () => client.got().split('*1\r\n').length === 3 || undefined);
  assert.equal(new Set(connectionsOf('EXEC')).size, 1);
});

test('UNWATCH leaves its connection to the next one who watches, and is answered where nobody does', async (t) => {
  const { client, connectionsOf } = await setUp(t);
  client.socket.write('UNWATCH\r\nWATCH k\r\nUNWATCH\r\nUNWATCH\r\nWATCH k\r\n');
  await replies(client, OK.repeat(5));
  const [first, second] = connectionsOf('WATCH k');
  assert.equal(second, first);
  assert.equal(connectionsOf('UNWATCH').length, 1);
});

test('RESET behind commands of one who watches leaves them their replies', async (t) => {
  const { client } = await setUp(t);
  client.socket.write('WATCH k\r\nGET k\r\nRESET\r\n');
  await replies(client, `${OK}${VALUE}+RESET\r\n`);
});

for (const [commands, asked, wanted] of [
  [['set'], 'MULTI\r\nSET k 1\r\nEXEC\r\nGET k\r\n', `${OK}-Fault Injected: Error\r\n${ABORTED}${VALUE}`],
  [['exec'], 'MULTI\r\nSET k 1\r\nEXEC\r\nGET k\r\n', `${OK}${QUEUED}${ABORTED}${VALUE}`],
] as const) {
  test(`a fault of ${commands[0]} has the transaction refused as a whole, and ends it`, async (t) => {
    const { client, redis } = await setUp(t, (plan) => withFault(plan, faultOf(commands)));
    client.socket.write(asked);
    await replies(client, wanted);
    assert.ok(!redis.asked.includes('EXEC'));
  });
}

function faultOf(commands: readonly string[]): Fault {
  return { type: 'ERROR', percentage: 100, delayMs: undefined, commands: [...commands] };
}

test('a fault of what is asked between WATCH and MULTI is none of the transaction', async (t) => {
  const { client } = await setUp(t, (plan) => withFault(plan, faultOf(['get'])));
  client.socket.write('WATCH k\r\nGET k\r\nMULTI\r\nSET k 1\r\nEXEC\r\n');
  await eventually('the end', () => client.got().split('\r\n').length > 6 || undefined);
  assert.match(client.got(), /^\+OK\r\n-[^\r]*\r\n\+OK\r\n\+QUEUED\r\n\*1\r\n\+OK\r\n$/);
});

const SLOT = slotOf(Buffer.from('k'), 0, 1);

/** What the first of two nodes says to WATCH until its cluster's second has the slot. */
async function setUpCluster(
  t: TestContext,
  refusal: (second: string) => string | undefined,
  others: Readonly<Record<string, string>> = answers,
) {
  const cluster = await clusterThat(t, 2, (words, node) => {
    const isRefused = node === 0 && /^(?:WATCH|GET)/.test(words);
    const refused = isRefused ? refusal(cluster.addressOf(1)) : undefined;
    return refused ?? others[words] ?? (/^(?:WATCH|MULTI)/.test(words) ? OK : undefined);
  });
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  return { client: clientOf(t, port), cluster, proxy };
}

const WATCHED = 'WATCH k\r\nGET k\r\nMULTI\r\nSET k 1\r\nEXEC\r\n';
const WATCHED_REPLIES = `${OK}${VALUE}${OK}${QUEUED}*1\r\n+OK\r\n`;

test('a key that has moved is watched at its new node', async (t) => {
  const { client, cluster } = await setUpCluster(t, (second) => `-MOVED ${SLOT} ${second}\r\n`);
  cluster.slots = [[0, 16_383, 1]];
  client.socket.write(WATCHED);
  await replies(client, WATCHED_REPLIES);
});

test('what is watched and moves then counts as a key that has changed', async (t) => {
  const { client, cluster } = await setUpCluster(t, () => undefined, {
    'SET k 1': `-MOVED ${SLOT} 127.0.0.1:1\r\n`,
    EXEC: '-EXECABORT Transaction discarded because of previous errors.\r\n',
  });
  client.socket.write('WATCH k\r\nMULTI\r\nSET k 1\r\nEXEC\r\n');
  await replies(client, `${OK}${OK}${MOVED}*-1\r\n`);
  assert.ok(cluster.askedOf(0).includes('SET k 1'));
});

for (const refusal of [
  '-LOADING Redis is loading the dataset in memory\r\n',
  '-CLUSTERDOWN The cluster is down\r\n',
]) {
  test(`WATCH that is answered ${refusal.split(' ')[0]} waits`, async (t) => {
    let isRefusing = true;
    const { client, cluster } = await setUpCluster(t, () => (isRefusing ? refusal : undefined));
    client.socket.write(WATCHED);
    await eventually('the refusal', () => cluster.askedOf(0).includes('WATCH k') || undefined);
    isRefusing = false;
    await replies(client, WATCHED_REPLIES);
  });
}

test('WATCH of a key that is on its way is refused once, and works when it has arrived', async (t) => {
  let isArriving = true;
  const { client, cluster, proxy } = await setUpCluster(
    t,
    (second) => `-${isArriving ? 'ASK' : 'MOVED'} ${SLOT} ${second}\r\n`,
  );
  client.socket.write('WATCH k\r\n');
  await replies(client, MOVED);
  isArriving = false;
  cluster.slots = [[0, 16_383, 1]];
  await eventually(
    'the new topology',
    () => proxy.status()[0]?.shards?.[0]?.primary === cluster.addressOf(1) || undefined,
  );
  client.socket.write(WATCHED);
  await replies(client, `${MOVED}${WATCHED_REPLIES}`);
});

test('who watched on a connection that is lost reads on', async (t) => {
  const { client, connectionOf, redis } = await setUp(t);
  client.socket.write('WATCH k\r\n');
  await replies(client, OK);
  for (const socket of redis.sockets) if (socket === connectionOf('WATCH k')) socket.destroy();
  client.socket.write('GET k\r\n');
  await eventually('its reply', () => client.got().length > OK.length || undefined);
  // It may have been under way to the lost one.
  const first = client.got();
  client.socket.write('GET k\r\nWATCH k\r\nUNWATCH\r\nGET k\r\n');
  await replies(client, `${first}${VALUE}${OK}${OK}${VALUE}`);
});

for (const [asked, wanted] of [
  ['EXEC', '*-1\r\n'],
  ['DISCARD', OK],
  ['SET\r\nEXEC', `-ERR wrong number of arguments for 'set' command\r\n${ABORTED}`],
] as const) {
  test(`a watch that is lost counts as a key that has changed: ${asked.replace('\r\n', ', ')}`, async (t) => {
    const { client, connectionOf, redis } = await setUp(t);
    client.socket.write('WATCH k\r\n');
    await replies(client, OK);
    const watching = connectionOf('WATCH k') as Socket;
    watching.destroy();
    await eventually('its end', () => !redis.sockets.has(watching) || undefined);
    // Known to the proxy once it reads over another connection.
    client.socket.write('GET k\r\n');
    await eventually('a reply', () => client.got().length > OK.length || undefined);
    const first = client.got();
    client.socket.write(`MULTI\r\nSET k 1\r\nPING\r\n${asked}\r\nGET k\r\n`);
    await replies(client, `${first}${OK}${QUEUED}${QUEUED}${wanted}${VALUE}`);
    assert.ok(!redis.asked.includes('SET k 1'));
  });
}

for (const [before, wanted] of [
  ['WATCH k', `${QUEUED}*-1\r\n`],
  ['PING', `${MOVED}${ABORTED}`],
] as const) {
  test(`a transaction behind ${before}, whose keys another plan has elsewhere, is not carried out`, async (t) => {
    const { client, proxy, redis } = await setUp(t);
    const other = await serverThat(t, (words) => answers[words] ?? OK);
    client.socket.write(`${before}\r\nMULTI\r\nSET k 1\r\n`);
    const begun = `${answers[before] ?? OK}${OK}${QUEUED}`;
    await replies(client, begun);
    await proxy.update(planTo(other.port));
    client.socket.write('SET k 1\r\nEXEC\r\nGET k\r\n');
    await replies(client, `${begun}${wanted}${VALUE}`);
    assert.deepEqual([redis.asked.includes('EXEC'), other.asked.includes('EXEC')], [false, false]);
    assert.ok(other.asked.includes('GET k'));
  });
}

test('who watches a key that another plan has elsewhere may watch it again, and EXEC is as for a changed key', async (t) => {
  const { client, proxy } = await setUp(t);
  const other = await serverThat(t, () => OK);
  client.socket.write('WATCH k\r\n');
  await replies(client, OK);
  await proxy.update(planTo(other.port));
  client.socket.write('WATCH k\r\nMULTI\r\nSET k 1\r\nEXEC\r\n');
  await replies(client, `${OK}${OK}${OK}${QUEUED}*-1\r\n`);
});

test('who watches and subscribes to a channel of the same slot goes on having replies of its own', async (t) => {
  const { client, connectionOf } = await setUp(t);
  client.socket.write('HELLO 3\r\n');
  await eventually('RESP3', () => client.got().includes('proto') || undefined);
  const greeting = client.got();
  client.socket.write('WATCH k\r\nSSUBSCRIBE k\r\nGET k\r\n');
  await replies(client, `${greeting}${OK}${array('ssubscribe', 'k', ':1').replace('*', '>')}${VALUE}`);
  assert.notEqual(connectionOf('ssubscribe k'), connectionOf('WATCH k'));
  assert.equal(connectionOf('GET k'), connectionOf('WATCH k'));
});

test('who watches may wait for longer than any command may take', async (t) => {
  const impatient = (plan: RoutingPlan): RoutingPlan => ({
    ...plan,
    listeners: plan.listeners.map(({ bind, listener }) => ({
      bind,
      listener: { ...listener, opTimeoutMs: 200 },
    })),
  });
  let pop = (): void => {};
  const redis = await serverThat(t, (words, socket) => {
    if (!words.startsWith('BLPOP')) return words === 'EXEC' ? '*1\r\n+OK\r\n' : OK;
    pop = () => void socket.write(VALUE);
    return undefined;
  });
  const { port } = await proxyFor(t, impatient(planTo(redis.port)));
  const client = clientOf(t, port);
  client.socket.write('WATCH k\r\nBLPOP k 0\r\nMULTI\r\nSET k 1\r\nEXEC\r\n');
  await eventually('the command', () => redis.asked.includes('BLPOP k 0') || undefined);
  // Of a client whose own command is late by then, and says so.
  const late = await serverThat(t, () => undefined);
  const slow = await proxyFor(t, impatient(planTo(late.port)));
  const waiting = clientOf(t, slow.port);
  waiting.socket.write('GET k\r\n');
  await eventually('the time being up', () => waiting.got() !== '' || undefined);
  assert.equal(client.got(), OK);
  pop();
  await replies(client, `${OK}${VALUE}${OK}${OK}*1\r\n+OK\r\n`);
});

test('who changes the protocol while watching reads on in the new one, and EXEC is as for a changed key', async (t) => {
  const { client, connectionOf } = await setUp(t);
  client.socket.write('WATCH k\r\nHELLO 3\r\nGET k\r\nMULTI\r\nSET k 1\r\nEXEC\r\n');
  await eventually('the last reply', () => client.got().endsWith(`${OK}${QUEUED}_\r\n`) || undefined, {
    seen: () => client.got(),
  });
  assert.ok(client.got().startsWith(`${OK}%7`));
  assert.notEqual(connectionOf('GET k'), connectionOf('WATCH k'));
});

test('who watches and reads a long value goes on watching', async (t) => {
  const long = `$400000\r\n${'x'.repeat(400_000)}\r\n`;
  const redis = await serverThat(t, (words) => (words === 'GET k' ? long : (answers[words] ?? OK)));
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('WATCH k\r\nGET k\r\n');
  await replies(client, `${OK}${long}`);
  client.socket.write('MULTI\r\nSET k 1\r\nEXEC\r\n');
  await replies(client, `${OK}${long}${OK}${QUEUED}*1\r\n+OK\r\n`);
});

test('who watches and subscribes in RESP2 may ask nothing but what a subscriber may', async (t) => {
  const { client } = await setUp(t);
  client.socket.write('WATCH k\r\nSUBSCRIBE n\r\nGET k\r\nMULTI\r\nPING\r\nUNSUBSCRIBE n\r\n');
  const confirmed = `${OK}${array('subscribe', 'n', ':1')}`;
  const refused = (name: string): string =>
    `-ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n`;
  const pong = '*2\r\n$4\r\npong\r\n$0\r\n\r\n';
  const left = `${confirmed}${refused('get')}${refused('multi')}${pong}${array('unsubscribe', 'n', ':0')}`;
  await replies(client, left);
  client.socket.write('MULTI\r\nSET k 1\r\nEXEC\r\n');
  await replies(client, `${left}${OK}${QUEUED}*1\r\n+OK\r\n`);
});

test('keys of one slot are watched together, those of another one neither with them nor within the transaction', async (t) => {
  const cluster = await clusterThat(
    t,
    1,
    (words) => answers[words] ?? (/^(?:WATCH|MULTI)/.test(words) ? OK : undefined),
  );
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('WATCH k\r\nWATCH {k}2\r\nWATCH other\r\nMULTI\r\nWATCH other\r\nSET k 1\r\nEXEC\r\n');
  const apart = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";
  const inside = '-ERR WATCH inside MULTI is not allowed\r\n';
  await replies(client, `${OK}${OK}${apart}${OK}${inside}${QUEUED}*1\r\n+OK\r\n`);
  assert.deepEqual(cluster.askedOf(0), ['WATCH k', 'WATCH {k}2', 'MULTI', 'SET k 1', 'EXEC']);
});

test('a script that speaks of another slot as Redis would costs no watch', async (t) => {
  const moved = '-MOVED 1 127.0.0.1:1\r\n';
  const cluster = await clusterThat(t, 1, (words) => {
    if (words.startsWith('EVAL')) return moved;
    return answers[words] ?? (/^(?:WATCH|MULTI)/.test(words) ? OK : undefined);
  });
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('WATCH k\r\nEVAL x 1 k\r\nMULTI\r\nSET k 1\r\nEXEC\r\n');
  await replies(client, `${OK}${moved}${OK}${QUEUED}*1\r\n+OK\r\n`);
});

test("a redirection of a plain server is the client's, also while it watches, and costs no watch", async (t) => {
  const moved = '-MOVED 1 127.0.0.1:1\r\n';
  const others: Readonly<Record<string, string>> = { PING: '+PONG\r\n', 'EVAL x 1 k': moved };
  const redis = await serverThat(t, (words) => others[words] ?? answers[words] ?? OK);
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('WATCH k\r\nEVAL x 1 k\r\nMULTI\r\nSET k 1\r\nEXEC\r\n');
  await replies(client, `${OK}${moved}${OK}${QUEUED}*1\r\n+OK\r\n`);
});
