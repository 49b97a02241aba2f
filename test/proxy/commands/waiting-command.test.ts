/**
 * What becomes of a command that waits when its node goes, or sends it away.
 */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { freePorts } from '../../../src/demo/child-process.ts';
import { eventually } from '../../../src/demo/eventually.ts';
import type { Proxy } from '../../../src/proxy/proxy.ts';
import { outcomes } from '../../../src/proxy/wire/outcomes.ts';
import { mirrored } from '../mirrored.ts';
import { clientOf, planTo, proxyFor, serverThat, type Client, type Server } from '../servers.ts';

const POPPED = '*2\r\n$1\r\nq\r\n$1\r\nx\r\n';
const MAY_BE_DONE =
  '-upstream failure: the command got no answer, and may have been carried out; look before you send it again\r\n';
const MAY_BE_LOST =
  '-upstream failure: a primary is lost, and maybe what was written to it last; read it back\r\n';
/** As COMMAND INFO has it. */
const MODULE_POP =
  '*1\r\n*7\r\n$10\r\nmodule.pop\r\n:3\r\n*2\r\n+write\r\n+blocking\r\n:1\r\n:1\r\n:1\r\n*0\r\n';
const WAITING = /^(?:B|XREAD|MODULE|WAIT)/;

interface Redis extends Server {
  /** What waited there, in order. */
  readonly waited: () => readonly string[];
}

/** `answer`: to the so-and-so-manieth command that waits; undefined: nothing. */
async function redisThat(
  t: TestContext,
  answer: (which: number, socket: Socket, words: string) => string | undefined,
): Promise<Redis> {
  let count = 0;
  const server = await serverThat(t, (words, socket) => {
    if (WAITING.test(words)) return answer(count++, socket, words);
    if (words.startsWith('COMMAND')) return MODULE_POP;
    return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
  });
  return { ...server, waited: () => server.asked.filter((words) => WAITING.test(words)) };
}

async function answerTo(client: Client, command: string): Promise<string> {
  client.socket.write(`${command}\r\n`);
  return await eventually('the reply', () => client.got() || undefined);
}

for (const command of [
  'BLPOP q r 0',
  'BRPOP q 0',
  'BLMOVE q r LEFT RIGHT 0',
  'BRPOPLPUSH q r 0',
  'BLMPOP 0 1 q LEFT',
  'BZPOPMIN q 0',
  'BZPOPMAX q 0',
  'BZMPOP 0 1 q MIN',
  'XREAD BLOCK 0 STREAMS q $',
  'XREADGROUP GROUP g c BLOCK 0 STREAMS q >',
]) {
  test(`${command} is asked again when its connection closes`, async (t) => {
    const redis = await redisThat(t, (which, socket) => (which === 0 ? void socket.destroy() : POPPED));
    const { port, proxy } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
    assert.equal(await answerTo(clientOf(t, port), command), POPPED);
    assert.deepEqual(redis.waited(), [command, command]);
    assert.equal(proxy.status()[0]?.events['retried'], 1);
  });
}

for (const [command, failure] of [
  ['MODULE.POP q 0', MAY_BE_DONE],
  ['WAIT 1 0', MAY_BE_LOST],
] as const) {
  test(`${command} is not: what it does while it waits is not known`, async (t) => {
    const redis = await redisThat(t, (_, socket) => void socket.destroy());
    const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
    assert.equal(await answerTo(clientOf(t, port), command), failure);
    assert.deepEqual(redis.waited(), [command]);
  });
}

test('a pop whose reply has begun to come is not asked again', async (t) => {
  const redis = await redisThat(t, (_, socket) => {
    socket.end(POPPED.slice(0, -3));
    return undefined;
  });
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
  assert.equal(await answerTo(clientOf(t, port), 'BLPOP q 0'), MAY_BE_DONE);
  assert.deepEqual(redis.waited(), ['BLPOP q 0']);
});

test('a pop that is lost again and again ends with an error after as long as any command waits', async (t) => {
  const redis = await redisThat(t, (_, socket) => void socket.destroy());
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 300 });
  assert.equal(await answerTo(clientOf(t, port), 'BLPOP q 0'), MAY_BE_DONE);
  assert.ok(redis.waited().length > 1);
});

test('a pop that is lost and then refused is not said not to be carried out', async (t) => {
  const down = '-CLUSTERDOWN The cluster is down\r\n';
  const redis = await redisThat(t, (which, socket) => (which === 0 ? void socket.destroy() : down));
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 300 });
  assert.equal(await answerTo(clientOf(t, port), 'BLPOP q 0'), MAY_BE_DONE);
});

for (const [command, pattern, unitMs] of [
  ['BLPOP q 30', /^BLPOP q (\d+\.?\d*)$/, 1_000],
  ['BZMPOP 30 1 q MIN', /^BZMPOP (\d+\.?\d*) 1 q MIN$/, 1_000],
  ['XREAD BLOCK 30000 STREAMS q $', /^XREAD BLOCK (\d+) STREAMS q \$$/, 1],
] as const) {
  test(`${command} is asked again for what is left of its time`, async (t) => {
    let atNodeMs = 0;
    const redis = await redisThat(t, (which, socket) => {
      if (which > 0) return POPPED;
      const since = performance.now();
      setTimeout(() => {
        atNodeMs = performance.now() - since;
        socket.destroy();
      }, 200);
      return undefined;
    });
    const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
    const before = performance.now();
    await answerTo(clientOf(t, port), command);
    const [first, second = ''] = redis.waited();
    assert.equal(first, command);
    const leftMs = Number(pattern.exec(second)?.[1]) * unitMs;
    assert.ok(leftMs > 30_000 - (performance.now() - before) - 1, second);
    assert.ok(leftMs < 30_000 - atNodeMs + 1, second);
  });
}

test('who has waited and is sent away goes on waiting for what is left of its time', async (t) => {
  const redis = await redisThat(t, (which, socket) => {
    if (which > 0) return POPPED;
    setTimeout(() => socket.write('-UNBLOCKED force unblock from blocking operation\r\n'), 1_200);
    return undefined;
  });
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
  assert.equal(await answerTo(clientOf(t, port), 'BLPOP q 30'), POPPED);
  const [, second = ''] = redis.waited();
  assert.ok(Number(second.split(' ')[2]) < 29, second);
});

test('what CLIENT UNBLOCK makes Redis say is said', async (t) => {
  const unblocked = '-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n';
  const redis = await redisThat(t, () => unblocked);
  const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
  assert.equal(await answerTo(clientOf(t, port), 'BLPOP q 0'), unblocked);
  assert.deepEqual(redis.waited(), ['BLPOP q 0']);
});

/** A Redis that is gone once somebody waits there, and comes back at the same port. */
async function mortal(
  t: TestContext,
): Promise<{ readonly port: number; readonly back: () => Promise<void> }> {
  const [port = 0] = await freePorts(1);
  const sockets = new Set<Socket>();
  const make = (then: (socket: Socket) => void): ReturnType<typeof createServer> =>
    createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => (chunk.includes('POP') ? then(socket) : socket.write('+PONG\r\n')));
    });
  const first = make(() => {
    first.close();
    for (const socket of sockets) socket.destroy();
  });
  const second = make((socket) => socket.write(POPPED));
  t.after(() => {
    first.close();
    second.close();
    for (const socket of sockets) socket.destroy();
  });
  const listen = (server: typeof first): Promise<void> =>
    new Promise((resolve) => {
      server.listen(port, '127.0.0.1', () => resolve());
    });
  await listen(first);
  return { port, back: () => listen(second) };
}

for (const [protocol, nothing] of [
  [2, '*-1\r\n'],
  [3, '_\r\n'],
] as const) {
  test(`RESP${protocol}: whose time is over while nobody is there has waited in vain`, async (t) => {
    const redis = await mortal(t);
    const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 20_000 });
    const client = clientOf(t, port);
    client.socket.write(`HELLO ${protocol}\r\n`);
    const greeted = await eventually('its greeting', () =>
      client.got().includes('modules') ? client.got().length : undefined,
    );
    const before = performance.now();
    client.socket.write('BLPOP q 0.4\r\n');
    await eventually('its reply', () => client.got().length > greeted || undefined);
    const tookMs = performance.now() - before;
    assert.equal(client.got().slice(-nothing.length), nothing);
    assert.ok(tookMs >= 400, `${tookMs} ms`);
    assert.ok(tookMs < 10_000, `${tookMs} ms`);
  });
}

/** From then on it is asked nothing but what clients ask. */
async function isFit(proxy: Proxy): Promise<void> {
  await eventually('its server', () => proxy.status()[0]?.nodes[0]?.state === 'fit' || undefined);
}

test('a pop waits for its server to come back, and is gone with its client', async (t) => {
  const redis = await mortal(t);
  const { port, proxy } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 60_000 });
  await isFit(proxy);
  const [stays, goes] = [clientOf(t, port), clientOf(t, port)];
  const abandoned = (): number =>
    outcomes().find(({ kind, outcome }) => kind === 'blocking' && outcome === 'abandoned')?.count ?? 0;
  const before = abandoned();
  stays.socket.write('BLPOP q 0\r\n');
  goes.socket.write('BLPOP q 0\r\n');
  await eventually('its end', () => proxy.status()[0]?.nodes[0]?.isUp === false || undefined);
  assert.equal(proxy.clients, 2);
  // Its direction alone, as a client that is gone looks.
  goes.socket.end();
  await eventually('one client', () => proxy.clients === 1 || undefined);
  assert.equal(abandoned(), before + 1);
  await redis.back();
  await eventually('the reply', () => stays.got() !== '' || undefined);
  assert.equal(stays.got(), POPPED);
});

test('a pop whose server is replaced in the plan is asked of the new one', async (t) => {
  const redis = await mortal(t);
  const plan = planTo(redis.port);
  const [{ bind } = assert.fail()] = plan.listeners;
  const { port, proxy } = await proxyFor(t, plan, { failoverWaitMs: 60_000 });
  await isFit(proxy);
  const client = clientOf(t, port);
  client.socket.write('BLPOP q 0\r\n');
  await eventually('its end', () => proxy.status()[0]?.nodes[0]?.isUp === false || undefined);
  const next = await redisThat(t, () => POPPED);
  await proxy.update(planTo(next.port, { listen: bind }));
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), POPPED);
  assert.deepEqual(next.waited(), ['BLPOP q 0']);
});

test('a pop that is asked again is copied once, as what it got', async (t) => {
  const redis = await redisThat(t, (which, socket) => (which === 0 ? void socket.destroy() : POPPED));
  const mirror = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '+OK\r\n'));
  const { port } = await proxyFor(t, mirrored(planTo(redis.port), planTo(mirror.port)));
  const client = clientOf(t, port);
  client.socket.write('BLPOP p q 0\r\nSET last 1\r\n');
  await eventually('the last copy', () => mirror.asked.includes('SET last 1') || undefined);
  assert.deepEqual(
    mirror.asked.filter((words) => words !== 'PING'),
    ['LPOP q', 'SET last 1'],
  );
});
