import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { runningTime } from '../running-time.ts';
import { clientOf, planTo, proxyFor, serverThat, type Client, type Server } from '../servers.ts';

interface Scene {
  readonly redis: Server;
  readonly client: Client;
  readonly recover: () => void;
}

/** A Redis that loads, which the proxy knows, and a client. */
async function setUp(t: TestContext, failoverWaitMs: number, queued = '+QUEUED\r\n'): Promise<Scene> {
  let isLoading = true;
  const answers = new Map([
    ['PING', '+PONG\r\n'],
    ['MULTI', '+OK\r\n'],
    ['WATCH a', '+OK\r\n'],
    ['SET a 1', queued],
    ['PUBLISH a 1', '+QUEUED\r\n'],
    ['EXEC', '*1\r\n+OK\r\n'],
  ]);
  const redis = await serverThat(t, (words) =>
    isLoading ? '-LOADING it loads\r\n' : (answers.get(words) ?? '+OK\r\n'),
  );
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs });
  clientOf(t, port).socket.write('GET a\r\n');
  await eventually('its being known to load', () => redis.asked.includes('GET a') || undefined);
  return { redis, client: clientOf(t, port), recover: () => void (isLoading = false) };
}

for (const [asked, replies] of [
  ['MULTI\r\nSET a 1\r\nEXEC\r\nPING\r\n', '+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n+PONG\r\n'],
  ['MULTI\r\nPUBLISH a 1\r\nEXEC\r\n', '+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n'],
  ['WATCH a\r\nMULTI\r\nSET a 1\r\nEXEC\r\n', '+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n'],
] as const) {
  test(`${asked.split('\r\n').join(', ')}waits while no node can be asked`, async (t) => {
    const { redis, client, recover } = await setUp(t, 20_000);
    const pings = (): number => redis.asked.filter((words) => words === 'PING').length;
    client.socket.write(asked);
    const before = pings();
    await eventually('questions how it is', () => pings() > before + 2 || undefined);
    assert.doesNotMatch(client.got(), /-/);
    recover();
    await eventually('the replies', () => client.got().length >= replies.length || undefined, {
      seen: () => client.got(),
    });
    assert.equal(client.got(), replies);
  });
}

test('another database than 0 can not be selected in a transaction, which is refused as a whole', async (t) => {
  const { redis, client, recover } = await setUp(t, 5_000);
  recover();
  client.socket.write('MULTI\r\nSELECT 0\r\nSELECT 1\r\nSET a 1\r\nEXEC\r\nPING\r\n');
  await eventually('the replies', () => client.got().endsWith('+PONG\r\n') || undefined);
  assert.match(client.got(), /^\+OK\r\n\+QUEUED\r\n-ERR 'select' of another database .*\r\n/);
  assert.match(client.got(), /\r\n-EXECABORT .*\r\n\+PONG\r\n$/);
  assert.deepEqual([redis.asked.includes('SELECT 1'), redis.asked.includes('EXEC')], [false, false]);
});

const wrongCount = (name: string): string => `-ERR wrong number of arguments for '${name}' command\r\n`;
const NO_EXEC =
  "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n";
const NO_MULTI = '-ERR EXEC without MULTI\r\n';
const ABORTED = '-EXECABORT Transaction discarded because of previous errors.\r\n';

for (const [asked, replies, carriedOut] of [
  [['MULTI', 'SET a 1', 'EXEC x', 'EXEC'], ['+OK\r\n', '+QUEUED\r\n', NO_EXEC, NO_MULTI], false],
  [['MULTI', 'EXEC x', 'EXEC'], ['+OK\r\n', NO_EXEC, NO_MULTI], false],
  [['WATCH a', 'EXEC x', 'EXEC'], ['+OK\r\n', NO_EXEC, NO_MULTI], false],
  [['EXEC x', 'WATCH', 'EXEC'], [NO_EXEC, wrongCount('watch'), NO_MULTI], false],
  [
    ['MULTI', 'SET a 1', 'DISCARD x', 'EXEC'],
    ['+OK\r\n', '+QUEUED\r\n', wrongCount('discard'), ABORTED],
    false,
  ],
  [
    ['WATCH a', 'WATCH', 'UNWATCH x', 'MULTI x', 'MULTI', 'SET a 1', 'EXEC'],
    ['+OK\r\n', ...['watch', 'unwatch', 'multi'].map(wrongCount), '+OK\r\n', '+QUEUED\r\n', '*1\r\n+OK\r\n'],
    true,
  ],
] as const) {
  test(`${asked.join(', ')}: ${carriedOut ? 'is carried out' : 'nothing is carried out'}, as by Redis`, async (t) => {
    const { redis, client, recover } = await setUp(t, 20_000);
    recover();
    client.socket.write([...asked, 'SET b 1', ''].join('\r\n'));
    const wanted = `${replies.join('')}+OK\r\n`;
    await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
      seen: () => client.got(),
    });
    assert.equal(client.got(), wanted);
    assert.equal(redis.asked.includes('EXEC'), carriedOut);
  });
}

for (const command of [
  'SUBSCRIBE c',
  'CLIENT ID',
  'CONFIG GET *',
  'HELLO 3',
  'AUTH x',
  'SHUTDOWN',
  'SCRIPT DEBUG YES',
]) {
  test(`a transaction with ${command}, which would be about another connection, is refused as a whole`, async (t) => {
    const { redis, client, recover } = await setUp(t, 20_000);
    recover();
    client.socket.write(`MULTI\r\nSET a 1\r\n${command}\r\nEXEC\r\nSET b 1\r\n`);
    const name = command.split(' ')[0]!.toLowerCase();
    const wanted = `+OK\r\n+QUEUED\r\n-ERR Command '${name}' not allowed inside a transaction\r\n${ABORTED}+OK\r\n`;
    await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
      seen: () => client.got(),
    });
    assert.equal(client.got(), wanted);
    assert.deepEqual([redis.asked.includes(command), redis.asked.includes('EXEC')], [false, false]);
  });
}

test('RESET with an argument leaves no transaction, but has it refused', async (t) => {
  const redis = await serverThat(t, (words) => (words === 'SET a 1' ? '+QUEUED\r\n' : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('MULTI\r\nRESET x\r\nSET a 1\r\nEXEC\r\nPING\r\n');
  await eventually('the replies', () => client.got().endsWith('+PONG\r\n') || undefined);
  assert.match(client.got(), /^\+OK\r\n-ERR wrong number .*\r\n\+QUEUED\r\n-EXECABORT .*\r\n\+PONG\r\n$/);
  assert.equal(redis.asked.includes('EXEC'), false);
});

test('a transaction waits for a node no longer than any command, and is then refused as a whole', async (t) => {
  const { redis, client } = await setUp(t, 300);
  client.socket.write('MULTI\r\nSET a 1\r\nSET a 2\r\nEXEC\r\n');
  await eventually('the end', () => client.got().includes('EXECABORT') || undefined, {
    seen: () => client.got(),
  });
  assert.match(client.got(), /^\+OK\r\n(?:-no upstream host\r\n){2}-EXECABORT [^\r]*\r\n$/);
  assert.ok(!redis.asked.includes('EXEC'));
});

test('a transaction that will be refused waits for no node', async (t) => {
  const { redis, client } = await setUp(t, 60_000);
  client.socket.write('MULTI\r\nSET\r\nSET a 1\r\nEXEC\r\n');
  await eventually('the end', () => client.got().includes('EXECABORT') || undefined, {
    seen: () => client.got(),
  });
  assert.ok(!redis.asked.includes('SET a 1'));
});

test('what has waited to be asked where it goes, and is refused there, waits no longer for that', async (t) => {
  const failoverWaitMs = 3_000;
  const { redis, client, recover } = await setUp(t, failoverWaitMs, '-LOADING it loads again\r\n');
  const asked = (what: string): number => redis.asked.filter((words) => words === what).length;
  const since = performance.now();
  client.socket.write('MULTI\r\nSET a 1\r\nEXEC\r\n');
  await eventually('half of the time', () => performance.now() > since + 0.5 * failoverWaitMs || undefined);
  assert.equal(asked('SET a 1'), 0);
  recover();
  const running = runningTime(t);
  await eventually('the end', () => client.got().includes('EXECABORT') || undefined);
  const ranMs = running();
  assert.ok(asked('SET a 1') > 0);
  assert.ok(ranMs < 0.8 * failoverWaitMs, `another ${ranMs} ms`);
});

test('EXEC of commands without keys that nobody carried out says so', async (t) => {
  const { client } = await setUp(t, 0);
  client.socket.write('MULTI\r\nPUBLISH a 1\r\nEXEC\r\n');
  const replies = '+OK\r\n+QUEUED\r\n-no upstream host\r\n';
  await eventually('the replies', () => client.got().length >= replies.length || undefined, {
    seen: () => client.got(),
  });
  assert.equal(client.got(), replies);
});

test('a long transaction whose node reads nothing is not taken in', async (t) => {
  let stopped: Socket | undefined;
  const redis = await serverThat(t, (words, socket) => {
    if (words === 'SET k stop') stopped = socket.pause();
    if (words === 'PING') return '+PONG\r\n';
    return words === 'MULTI' ? '+OK\r\n' : '+QUEUED\r\n';
  });
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  const { socket } = client;
  let expected = '+OK\r\n'.length;
  const ask = async (text: string, count: number): Promise<void> => {
    socket.write(text.repeat(count));
    expected += count * '+QUEUED\r\n'.length;
    await eventually('the replies', () => client.got().length === expected || undefined);
  };
  socket.write('MULTI\r\n');
  // The more it takes at once, the more it is let ask.
  for (let round = 0; round < 12; round++) await ask('SET k 1\r\n', 500);
  await ask('SET k stop\r\n', 1);
  const [value, count] = ['x'.repeat(1_000_000), 80];
  const all = ask(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n${value}\r\n`, count);
  // Meanwhile all of it could be taken in.
  const other = clientOf(t, port);
  for (let pings = 0; pings < 1_000; pings++) {
    other.socket.write('PING\r\n');
    await once(other.socket, 'data');
  }
  const taken = socket.bytesWritten - socket.writableLength;
  assert.ok(taken < 30_000_000, `${taken} bytes were taken`);
  stopped?.resume();
  await all;
});

for (const commands of [['DBSIZE'], ['DBSIZE', 'DBSIZE']]) {
  test(`a transaction of ${commands.length} without a key waits for a node that turns out to load`, async (t) => {
    let isLoading = true;
    const loading = '-LOADING Redis is loading the dataset in memory\r\n';
    const redis = await serverThat(t, (words) => {
      if (words === 'PING') return '+PONG\r\n';
      if (words === 'DBSIZE') return isLoading ? loading : '+QUEUED\r\n';
      if (words === 'EXEC') return isLoading ? '-EXECABORT it loads\r\n' : '*1\r\n:1\r\n';
      return '+OK\r\n';
    });
    const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
    const client = clientOf(t, port);
    client.socket.write(`MULTI\r\n${commands.join('\r\n')}\r\nEXEC\r\nPING\r\n`);
    const tries = (): number => redis.asked.filter((words) => words === 'MULTI').length;
    await eventually('some tries', () => tries() > 2 || undefined, { seen: () => client.got() });
    assert.doesNotMatch(client.got(), /-/);
    isLoading = false;
    const replies = `+OK\r\n${'+QUEUED\r\n'.repeat(commands.length)}*1\r\n:1\r\n+PONG\r\n`;
    await eventually('the replies', () => client.got().length >= replies.length || undefined, {
      seen: () => client.got(),
    });
    assert.equal(client.got(), replies);
    assert.equal(redis.asked.filter((words) => words === 'EXEC').length, 1);
  });
}

test("a transaction without a key that a node does not carry out in time has the node's words", async (t) => {
  const redis = await serverThat(t, (words) => {
    if (words === 'PING') return '+PONG\r\n';
    return words === 'DBSIZE' ? '-LOADING Redis is loading the dataset in memory\r\n' : '+OK\r\n';
  });
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 100 });
  const client = clientOf(t, port);
  client.socket.write('MULTI\r\nDBSIZE\r\nEXEC\r\nPING\r\n');
  const replies = '+OK\r\n+QUEUED\r\n-LOADING Redis is loading the dataset in memory\r\n+PONG\r\n';
  await eventually('the replies', () => client.got().length >= replies.length || undefined, {
    seen: () => client.got(),
  });
  assert.equal(client.got(), replies);
});

const LOST =
  '-upstream failure: the connection of this transaction is lost, and nothing of it was carried out; begin it anew\r\n';

test('a transaction whose connection is lost before EXEC is refused as a whole, and says to begin anew', async (t) => {
  const redis = await serverThat(t, (words, socket) => {
    if (words === 'PING') return '+PONG\r\n';
    if (words === 'SET a 2') return void socket.destroy();
    if (words === 'EXEC') return '*1\r\n+OK\r\n';
    return words === 'MULTI' ? '+OK\r\n' : '+QUEUED\r\n';
  });
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('MULTI\r\nSET a 1\r\nSET a 2\r\n');
  await eventually('its loss', () => client.got() === `+OK\r\n+QUEUED\r\n${LOST}` || undefined, {
    seen: () => client.got(),
  });
  client.socket.write('SET a 3\r\nEXEC\r\nMULTI\r\nSET a 4\r\nEXEC\r\n');
  const rest = `${LOST}${ABORTED}+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n`;
  await eventually('the rest', () => client.got().endsWith(rest) || undefined, { seen: () => client.got() });
  assert.equal(redis.asked.filter((words) => words === 'EXEC').length, 1);
});

test('EXEC is not sent where the last command without a key is never answered', async (t) => {
  const redis = await serverThat(t, (words, socket) => {
    if (words.startsWith('PUBLISH')) return void socket.destroy();
    return '+OK\r\n';
  });
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 300 });
  const client = clientOf(t, port);
  client.socket.write('MULTI\r\nPUBLISH a 1\r\nEXEC\r\nPING\r\n');
  // Whether the time is up while it waits, or with the loss of the last connection.
  const wanted = [LOST, '-no upstream host\r\n'].map((reply) => `+OK\r\n+QUEUED\r\n${reply}+PONG\r\n`);
  await eventually('the replies', () => wanted.includes(client.got()) || undefined, {
    seen: () => client.got(),
  });
  assert.ok(!redis.asked.includes('EXEC'));
});

const UNKNOWN =
  '-upstream failure: EXEC got no answer, so all of the transaction may have been carried out; look before you send it again\r\n';

for (const [what, asked, wanted] of [
  ['EXEC is not answered', 'MULTI\r\nSET a 1\r\nEXEC\r\n', `+OK\r\n+QUEUED\r\n${UNKNOWN}`],
  ['DISCARD is not answered', 'MULTI\r\nSET a 1\r\nDISCARD\r\n', '+OK\r\n+QUEUED\r\n+OK\r\n'],
  ['UNWATCH is not answered', 'WATCH a\r\nUNWATCH\r\n', '+OK\r\n+OK\r\n'],
] as const) {
  test(`where ${what}, since the connection is lost, the client is told what that means`, async (t) => {
    const redis = await serverThat(t, (words, socket) => {
      if (/^(?:EXEC|DISCARD|UNWATCH)/.test(words)) return void socket.destroy();
      return words.startsWith('SET') ? '+QUEUED\r\n' : '+OK\r\n';
    });
    const { port } = await proxyFor(t, planTo(redis.port));
    const client = clientOf(t, port);
    client.socket.write(`${asked}PING\r\n`);
    await eventually('the replies', () => client.got().endsWith('+PONG\r\n') || undefined, {
      seen: () => client.got(),
    });
    assert.equal(client.got(), `${wanted}+PONG\r\n`);
    assert.ok(redis.asked.filter((words) => words === 'EXEC').length <= 1);
  });
}
