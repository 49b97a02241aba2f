import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pino } from 'pino';

import { eventually } from '../../../src/demo/eventually.ts';
import { ClientCount } from '../../../src/proxy/client/client-count.ts';
import { OnceAMinute } from '../../../src/proxy/client/once-a-minute.ts';
import { clientOf, planTo, proxyFor, serverThat } from '../servers.ts';

test('who is turned away is counted, and told in one line with the remedy', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const { port, proxy, lines } = await proxyFor(t, planTo(redis.port), { maxClients: 1 });
  const first = clientOf(t, port);
  first.socket.write('PING\r\n');
  await eventually('it is in', () => first.got() !== '' || undefined);
  for (let count = 0; count < 3; count++) {
    const other = clientOf(t, port);
    await eventually('its end', () => other.hasEnded || undefined);
    assert.equal(other.got(), '-ERR max number of clients reached\r\n');
  }
  assert.equal(proxy.clientCount.refused, 3);
  const told = lines.filter((line) => line.includes('turned away'));
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /\(127\.0\.0\.1\): there are 1 already; raise --max-clients, or find who/);
});

test('who is turned away is named by an address that it may know, also where IPv6 is listened for, too', () => {
  const lines: string[] = [];
  const count = new ClientCount({ maxClients: 0 }, { warn: (line: string) => void lines.push(line) });
  assert.equal(count.enter({ remoteAddress: '::ffff:10.0.0.7' }), false);
  assert.match(lines.join(''), /turned away \(10\.0\.0\.7\)/);
});

test('who is turned away and goes on sending is put out all the same', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const { port } = await proxyFor(t, planTo(redis.port), { maxClients: 1 });
  const first = clientOf(t, port);
  first.socket.write('PING\r\n');
  await eventually('it is in', () => first.got() !== '' || undefined);
  const other = clientOf(t, port, true);
  const sending = setInterval(() => other.socket.write('x'), 100);
  t.after(() => clearInterval(sending));
  await eventually('its being put out', () => other.socket.destroyed || undefined);
});

test('a worker takes no more than have room in it, also where others would have room for more', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const { port, lines } = await proxyFor(t, planTo(redis.port), { maxClients: 10, maxOwnClients: 1 });
  const first = clientOf(t, port);
  first.socket.write('PING\r\n');
  await eventually('it is in', () => first.got() !== '' || undefined);
  const other = clientOf(t, port);
  await eventually('its end', () => other.hasEnded || undefined);
  assert.equal(other.got(), '-ERR max number of clients reached\r\n');
  assert.match(lines.join(''), /there are 1 already; let more files be open \(ulimit -Hn\), or find who/);
});

test('each of several workers gives ids of its own', () => {
  const counts = [1, 2, 3].map(
    (first) => new ClientCount({ maxClients: 1, ids: { first, step: 3 } }, pino()),
  );
  const ids = [0, 1, 2].flatMap(() => counts.map((count) => count.newId()));
  assert.deepEqual(ids, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('what comes again and again is due once a minute, with how often it was not told', () => {
  const lines = new OnceAMinute();
  assert.equal(lines.due('full', 0), 0);
  for (let now = 1_000; now < 60_000; now += 1_000) assert.equal(lines.due('full', now), undefined);
  assert.equal(lines.due('another', 30_000), 0);
  assert.equal(lines.due('full', 60_000), 59);
  assert.equal(lines.due('full', 200_000), 0);
});
