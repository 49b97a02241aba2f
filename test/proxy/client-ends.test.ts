import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { Proxy, ProxyOptions } from '../../src/proxy/proxy.ts';
import { clientOf, planTo, proxyFor, serverThat, type Server } from './servers.ts';

const GET = '*2\r\n$3\r\nGET\r\n$1\r\na\r\n';
const VALUE = '$1\r\nx\r\n';
/** More than a client may have under way at its begin. */
const MANY = 100;
const ROOM = 64;

interface Scene {
  readonly proxy: Proxy;
  readonly port: number;
  readonly redis: Server;
  /** Answers the GETs that were asked so far and later. */
  readonly answer: () => void;
}

/** A Redis that answers GET when it may, the proxy's own questions, and no blocking command. */
async function setUp(t: TestContext, options: Partial<ProxyOptions> = {}): Promise<Scene> {
  let mayAnswer = false;
  const waiting: (() => void)[] = [];
  const redis = await serverThat(t, (words, socket) => {
    if (words === 'PING') return '+PONG\r\n';
    if (!words.startsWith('GET')) return undefined;
    if (mayAnswer) return VALUE;
    waiting.push(() => socket.write(VALUE));
    return undefined;
  });
  const { proxy, port } = await proxyFor(t, planTo(redis.port), options);
  const answer = (): void => {
    mayAnswer = true;
    for (const each of waiting.splice(0)) each();
  };
  return { proxy, port, redis, answer };
}

async function nobodyLeft(proxy: Proxy): Promise<void> {
  await eventually('no client', () => proxy.clients === 0 || undefined, { seen: () => `${proxy.clients}` });
}

/** Without what the proxy asks for itself. */
function commandsOf({ asked }: Server): readonly string[] {
  return asked.filter((words) => words !== 'PING');
}

test('a client that ends its direction gets the replies to what it asked', async (t) => {
  const { proxy, port, redis, answer } = await setUp(t);
  const client = clientOf(t, port, true);
  client.socket.end(GET);
  await eventually('the command', () => commandsOf(redis).length === 1 || undefined);
  // By then its end has come, too: it was sent with the command.
  const other = clientOf(t, port);
  other.socket.write('PING\r\n');
  await eventually('its reply', () => other.got() !== '' || undefined);
  answer();
  await eventually('the end', () => client.hasEnded || undefined);
  assert.equal(client.got(), VALUE);
  other.socket.destroy();
  await nobodyLeft(proxy);
});

test('what waited for a node that may be asked is not sent once its client has gone', async (t) => {
  const redis = await serverThat(t, (words) =>
    words === 'PING' ? '+PONG\r\n' : '-TRYAGAIN Multiple keys request during rehashing of slot\r\n',
  );
  const { port, proxy } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
  const count = (words: string): number => redis.asked.filter((each) => each === words).length;
  const gone = ['INCR a', 'MSET b 1 {c}c 1'].map((words) => {
    const client = clientOf(t, port);
    client.socket.write(`${words}\r\n`);
    return client;
  });
  await eventually('tries', () => (count('INCR a') > 1 && count('mset b 1') > 1) || undefined);
  for (const { socket } of gone) socket.destroy();
  await nobodyLeft(proxy);
  const tries = (): number => count('INCR a') + count('mset b 1');
  const before = tries();
  const other = clientOf(t, port);
  other.socket.write('INCR d\r\n');
  await eventually('tries of somebody else', () => count('INCR d') > 4 || undefined);
  // One of each was on its way.
  assert.ok(tries() <= before + 2, `${tries()} tries, ${before} of them before`);
});

test('a client that ends its direction with nothing under way is ended at once', async (t) => {
  const { proxy, port } = await setUp(t);
  const client = clientOf(t, port, true);
  client.socket.write('PING\r\n');
  await eventually('the reply', () => client.got() !== '' || undefined);
  client.socket.end();
  await nobodyLeft(proxy);
});

test('a client that goes while it waits for a blocking command waits no longer', async (t) => {
  const { proxy, port, redis } = await setUp(t);
  const client = clientOf(t, port, true);
  client.socket.write('BLPOP q 0\r\n');
  await eventually('the command', () => redis.asked.includes('BLPOP q 0') || undefined);
  client.socket.end();
  await nobodyLeft(proxy);
});

test('a client that ends its direction behind a transaction gets all replies', async (t) => {
  const answers = new Map([
    ['MULTI', '+OK\r\n'],
    ['EXEC', '*1\r\n+OK\r\n'],
  ]);
  let isHeard = false;
  const redis = await serverThat(t, (words, socket) => {
    if (words.startsWith('GET') || words === 'EXEC') {
      // By then its end has come.
      void eventually('the end', () => isHeard || undefined).then(() =>
        socket.write(answers.get(words) ?? VALUE),
      );
      return undefined;
    }
    return answers.get(words) ?? '+QUEUED\r\n';
  });
  const { port, proxy } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port, true);
  client.socket.end(`${GET}MULTI\r\nSET b c\r\nEXEC\r\n`);
  await eventually('the command', () => commandsOf(redis).length === 1 || undefined);
  const other = clientOf(t, port);
  other.socket.write('PING\r\n');
  await eventually('its reply', () => other.got() !== '' || undefined);
  isHeard = true;
  await eventually('the end', () => client.hasEnded || undefined);
  assert.equal(client.got(), `${VALUE}+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n`);
  other.socket.destroy();
  await nobodyLeft(proxy);
});

const DESCRIBED = '*1\r\n*6\r\n$5\r\nx.get\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n';

/** Answers what is asked of it once it is told to, and knows one command that no table has. */
async function slowly(
  t: TestContext,
  asked = (): void => {},
): Promise<{ readonly redis: Server; readonly tell: () => void }> {
  const waiting: [Socket, reply: string][] = [];
  const redis = await serverThat(t, (words, socket) => {
    const isQuestion = words.toLowerCase().startsWith('command');
    const reply = isQuestion ? DESCRIBED : words === 'PING' ? '+PONG\r\n' : VALUE;
    // What comes behind the question is answered behind it.
    if (!isQuestion && !waiting.some(([held]) => held === socket)) return reply;
    waiting.push([socket, reply]);
    if (isQuestion) asked();
    return undefined;
  });
  return {
    redis,
    tell: () => {
      for (const [socket, reply] of waiting.splice(0)) socket.write(reply);
    },
  };
}

const isAsking = ({ asked }: Server): Promise<true> =>
  eventually('the question', () => asked.some((words) => /^command/i.test(words)) || undefined);

test('a client that ends its direction behind a command that is being asked for gets its reply', async (t) => {
  // A question has half a second: on a busy machine no poll fits into it.
  const { redis, tell } = await slowly(t, () => other.socket.write('PING\r\n'));
  const { port, proxy } = await proxyFor(t, planTo(redis.port));
  const other = clientOf(t, port);
  other.socket.write(GET);
  await eventually('the node', () => other.got() === VALUE || undefined);
  other.socket.once('data', tell);
  const client = clientOf(t, port, true);
  client.socket.end('X.GET a\r\n');
  await eventually('the end', () => client.hasEnded || undefined);
  assert.equal(client.got(), VALUE);
  other.socket.destroy();
  await nobodyLeft(proxy);
});

test('a command that is still being asked for is not begun when its client is being ended', async (t) => {
  const { redis, tell } = await slowly(t);
  const { port, proxy } = await proxyFor(t, planTo(redis.port), { drainMs: 500 });
  const client = clientOf(t, port, true);
  client.socket.write('X.GET a\r\n');
  await isAsking(redis);
  const closed = proxy.close();
  tell();
  await closed;
  assert.ok(!redis.asked.includes('X.GET a'), redis.asked.join('; '));
});

test('COMMAND is answered to a client that is being ended', async (t) => {
  const { redis, tell } = await slowly(t);
  const { port, proxy } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('COMMAND COUNT\r\n');
  await isAsking(redis);
  const closed = proxy.close();
  tell();
  await closed;
  await eventually('the end', () => client.hasEnded || undefined);
  assert.match(client.got(), /^:\d+\r\n$/);
});

for (const how of ['is being ended', 'has ended its direction']) {
  test(`a blocking command that waited for a node is not begun when its client ${how}`, async (t) => {
    let isLoading = true;
    const redis = await serverThat(t, (words) => {
      if (isLoading) return '-LOADING it loads\r\n';
      return words === 'PING' ? '+PONG\r\n' : words.startsWith('BLPOP') ? undefined : VALUE;
    });
    const options = { failoverWaitMs: 20_000, drainMs: 1_000 };
    const { port, proxy } = await proxyFor(t, planTo(redis.port), options);
    const first = clientOf(t, port);
    first.socket.write(GET);
    await eventually('its being known to load', () => redis.asked.includes('GET a') || undefined);
    const client = clientOf(t, port, true);
    client.socket.write('BLPOP q 0\r\n');
    if (how !== 'is being ended') client.socket.end();
    await eventually('both', () => proxy.clients === 2 || undefined);
    const other = clientOf(t, port);
    other.socket.write('PING\r\n');
    await eventually('its reply', () => other.got() !== '' || undefined);
    const closed = how === 'is being ended' ? proxy.close() : undefined;
    isLoading = false;
    await eventually('the end', () => client.hasEnded || undefined);
    await closed;
    assert.equal(client.got(), '-no upstream host\r\n');
    assert.equal(
      redis.asked.find((words) => words.startsWith('BLPOP')),
      undefined,
    );
  });
}

test('a transaction that waits for a node is not begun when its client is being ended', async (t) => {
  const loading = '-LOADING Redis is loading the dataset in memory\r\n';
  const redis = await serverThat(t, () => loading);
  const options = { failoverWaitMs: 20_000, drainMs: 10_000 };
  const { port, proxy } = await proxyFor(t, planTo(redis.port), options);
  const client = clientOf(t, port);
  client.socket.write('WATCH k\r\n');
  await eventually('its refusal', () => redis.asked.includes('WATCH k') || undefined);
  await proxy.close();
  await eventually('the end', () => client.hasEnded || undefined);
  assert.equal(client.got(), loading);
  assert.equal(redis.asked.filter((words) => words === 'WATCH k').length, 1);
});

for (const [what, bytes, reply] of [
  ['QUIT', '*1\r\n$4\r\nQUIT\r\n', '+OK\r\n'],
  ['a protocol error', '*1\r\n!\r\n', "-ERR Protocol error: expected '$', got '!'\r\n"],
] as const) {
  // Behind what there is room for, it stops the client as the last one of those.
  for (const count of [MANY, ROOM - 1]) {
    test(`${what} behind ${count} commands leaves nothing behind when the client has gone`, async (t) => {
      const { proxy, port, answer, redis } = await setUp(t);
      const client = clientOf(t, port);
      client.socket.write(GET.repeat(count) + bytes);
      await eventually('the commands', () => commandsOf(redis).length > 0 || undefined);
      answer();
      await eventually('the end', () => client.hasEnded || undefined);
      assert.equal(client.got(), VALUE.repeat(count) + reply);
      await nobodyLeft(proxy);
    });
  }
}

for (const waits of ['BLPOP q 0', 'SUBSCRIBE n']) {
  test(`${waits} that had to wait is not begun when its client is being ended`, async (t) => {
    const { proxy, port, redis, answer } = await setUp(t, { drainMs: 500 });
    // It keeps its direction open, so the proxy waits for it as long as it may.
    const client = clientOf(t, port, true);
    client.socket.write(`${GET}${waits}\r\n`);
    await eventually('the first', () => commandsOf(redis).length === 1 || undefined);
    const closed = proxy.close();
    answer();
    await closed;
    await eventually('the end', () => client.hasEnded || undefined);
    assert.equal(client.got(), VALUE);
    assert.deepEqual(commandsOf(redis), ['GET a']);
  });
}

test('who is turned away costs nothing once it has gone', async (t) => {
  const { port } = await setUp(t, { maxClients: 0 });
  const sockets = (): number =>
    process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
  const before = sockets();
  for (let count = 0; count < 10; count++) {
    const client = clientOf(t, port);
    await eventually('the end', () => client.hasEnded || undefined);
    assert.equal(client.got(), '-ERR max number of clients reached\r\n');
  }
  await eventually('all gone', () => sockets() <= before || undefined, { seen: () => `${sockets()}` });
});

test('of who waits for a blocking command no more than so much is taken that comes behind it', async (t) => {
  const redis = await serverThat(t, (words) => (words.startsWith('BLPOP') ? undefined : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port));
  const [{ socket }, other] = [clientOf(t, port), clientOf(t, port)];
  socket.write('BLPOP q 0\r\n');
  await eventually('the command', () => redis.asked.includes('BLPOP q 0') || undefined);
  socket.write(Buffer.alloc(64 * 1_048_576, 'GET k\r\n'));
  for (let count = 1; count <= 40; count++) {
    other.socket.write('GET k\r\n');
    await eventually('the reply of another', () => other.got().length === 5 * count || undefined);
  }
  assert.ok(socket.writableLength > 0);
});
