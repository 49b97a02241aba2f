import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';

import { pino } from 'pino';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { Proxy } from '../../src/proxy/proxy.ts';
import { needRedis } from './environment.ts';
import { startHostileClients } from './hostile-input.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { startSteadyClient } from './steady-client.ts';
import { planTo } from '../proxy/servers.ts';

const WRONG: [what: string, bytes: string, answer: RegExp][] = [
  ['a huge number of arguments', '*2147483647\r\n', /invalid multibulk length/],
  ['a huge argument', '*2\r\n$3\r\nGET\r\n$999999999999\r\n', /invalid bulk length/],
  ['no RESP behind a star', '*1\r\n+PING\r\n', /expected '\$', got '\+'/],
  ['an argument longer than it says', '*1\r\n$4\r\nPINGPONG\r\n', /invalid CRLF/],
  ['an endless line', 'x'.repeat(200_000), /too big inline request/],
  ['unbalanced quotes', 'GET "a\r\n', /unbalanced quotes/],
  ['a POST with a command in its body', 'POST / HTTP/1.1\r\n\r\nSET k posted\r\n', /in HTTP\r\n$/],
  ['random bytes', '\0\xff\x80*$\r\n*-\r\n', /Protocol error|unknown command/],
];

test('hostile clients cost themselves only', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const folder = await temporaryFolder('plain');
  t.after(() => removeFolder(folder));
  const server = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(server));
  const proxy = await Proxy.create({
    hedgeAfterMs: 200,
    failoverWaitMs: 2_000,
    maxClients: 30,
    drainMs: 5_000,
    log: pino({ level: 'silent' }),
  });
  let isClosed = false;
  t.after(async () => {
    if (!isClosed) await proxy.close();
  });
  await proxy.update(planTo(server.port));
  const [port = 0] = portsOf(proxy);
  const friendly = client(t, port);
  await friendly.set('k', 'v');

  for (const [what, bytes, answer] of WRONG) {
    await t.test(`${what}: an error, and the connection is closed`, async () => {
      const { seen, closed } = listen(port, Buffer.from(bytes, 'latin1'));
      await eventually('an answer', () => (answer.test(seen()) ? true : undefined), { seen });
      if (what !== 'random bytes') await eventually('the end', () => (closed() ? true : undefined));
      assert.equal(await friendly.get('k'), 'v');
    });
  }

  await t.test('a client that does not read is not read from, and holds up nobody', async () => {
    await friendly.set('large', 'x'.repeat(100_000));
    const socket = open(port);
    socket.pause();
    const ask = Buffer.from('*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n'.repeat(1_000));
    const before = process.memoryUsage().rss;
    let isTaken = true;
    // 100,000 replies of 100 kB would be 10 GB.
    for (let count = 0; count < 100 && isTaken; count++) isTaken = socket.write(ask);
    for (let count = 0; count < 50; count++) assert.equal(await friendly.get('k'), 'v');
    const grown = (process.memoryUsage().rss - before) / 1_048_576;
    assert.ok(grown < 1_000, `${grown.toFixed(0)} MiB more`);
    socket.destroy();
    assert.equal(await friendly.get('k'), 'v');
  });

  await t.test('one client too many is turned away', async () => {
    const sockets = Array.from({ length: 40 }, () => listen(port, Buffer.from('PING\r\n')));
    await eventually('an answer for each', () =>
      sockets.every(({ seen }) => seen() !== '') ? true : undefined,
    );
    const turnedAway = sockets.filter(({ seen }) => seen().includes('max number of clients reached'));
    assert.ok(turnedAway.length >= 10, `${turnedAway.length} were turned away`);
    for (const { socket } of sockets) socket.destroy();
    await eventually('room again', () => {
      const { seen, socket } = listen(port, Buffer.from('PING\r\n'));
      return eventually('an answer', () => (seen() === '' ? undefined : seen())).then((text) => {
        socket.destroy();
        return text === '+PONG\r\n' ? true : undefined;
      });
    });
  });

  await t.test('at the end everybody gets what was asked, and nobody else comes in', async () => {
    const script =
      "local until_ = redis.call('TIME')[1] + 1 while tonumber(redis.call('TIME')[1]) < until_ do end return 'done'";
    const slow = friendly.eval(script, 1, 'k');
    await friendly.ping();
    await proxy.close();
    isClosed = true;
    assert.equal(await slow, 'done');
    await assert.rejects(
      new Promise((resolve, reject) => {
        connect({ host: '127.0.0.1', port }, () => resolve(undefined)).on('error', reject);
      }),
    );
  });
});

test('beside generated hostile input a client gets the right replies', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, replicas: 0 });
  t.after(() => cluster.stop());
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')));
  const hostile = startHostileClients(port, seed, 40);
  t.after(() => hostile.stop());
  const steady = startSteadyClient(port, 2);
  await eventually('enough of them', () => (hostile.opened >= 600 ? true : undefined), {
    deadlineMs: 30_000,
  });
  const { commands, wrong } = await steady.stop();
  assert.deepEqual(wrong, []);
  assert.ok(commands > 20, `${commands} commands`);
});

function open(port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  return socket;
}

function listen(
  port: number,
  bytes: Buffer,
): { readonly socket: Socket; readonly seen: () => string; readonly closed: () => boolean } {
  const socket = open(port);
  let seen = '';
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1');
  });
  socket.on('close', () => {
    isClosed = true;
  });
  socket.write(bytes);
  return { socket, seen: () => seen, closed: () => isClosed };
}
