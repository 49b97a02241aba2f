/**
 * Replies that are longer than anybody may keep.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { longestReply } from '../../src/proxy/wire/partial-reply.ts';
import { proxyForHalves } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const TOO_LONG = '-upstream failure: a reply of more than 1 GiB\r\n';

/** For one test: nobody wants to wait for a gibibyte. */
function limitTo(t: TestContext, bytes: number): void {
  const before = longestReply.bytes;
  longestReply.bytes = bytes;
  t.after(() => {
    longestReply.bytes = before;
  });
}

for (const [what, begin, rest] of [
  ['is announced to be too long', '$1099511627776\r\n', 'x'],
  ['never ends: a list', '*1000000\r\n', '+a\r\n'.repeat(1_000)],
  ['never ends: lists in lists', '*1\r\n', '*1\r\n'.repeat(1_000)],
  ['never ends: a line', '+', 'x'.repeat(4_000)],
  ['never ends: a push', '>1000000\r\n', '+a\r\n'.repeat(1_000)],
] as const) {
  test(`a reply that ${what} is an error, which ends its connection and no other`, async (t) => {
    limitTo(t, 100_000);
    const busy = new Set<Socket>();
    const redis = await serverThat(t, (words, socket) => {
      if (busy.has(socket)) return undefined;
      if (words === 'PING') return '+PONG\r\n';
      if (words !== 'GET endless') return '+OK\r\n';
      busy.add(socket);
      socket.write(begin, 'latin1');
      const more = (): void => {
        if (socket.writable) socket.write(rest, 'latin1', () => setImmediate(more));
      };
      more();
      return undefined;
    });
    const { port, proxy } = await proxyFor(t, planTo(redis.port));
    const [client, other] = [clientOf(t, port), clientOf(t, port)];
    // One that waits for an element has a connection of its own.
    other.socket.write('BLPOP list 0\r\n');
    await eventually('its reply', () => other.got() === '+OK\r\n' || undefined);
    const before = redis.asked.length;
    client.socket.write('GET endless\r\nGET short\r\n');
    const wanted = `${TOO_LONG}+OK\r\n`;
    await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
      seen: () => client.got(),
    });
    assert.equal(client.got(), wanted);
    // It would be the same, if it were asked again.
    assert.equal(redis.asked.slice(before).filter((words) => words === 'GET endless').length, 1);
    other.socket.write('GET short\r\n');
    await eventually('a reply of another', () => other.got() === '+OK\r\n+OK\r\n' || undefined);
    await eventually('its being fit', () => proxy.status()[0]?.nodes[0]?.state === 'fit' || undefined);
  });
}

for (const [asked, kind] of [
  ['MGET a b', 'parts'],
  ['MGET a b {a}2', 'parts of several keys'],
  ['KEYS *', 'replies of all servers'],
] as const) {
  test(`${kind} that are too long together are an error (${asked})`, async (t) => {
    limitTo(t, 10_000);
    const long = `$6000\r\n${'x'.repeat(6_000)}\r\n`;
    const { port } = await proxyForHalves(t, (words) => {
      const [name = '', ...keys] = words.split(' ');
      if (!/^(?:mget|keys)$/i.test(name)) return undefined;
      return `*${keys.length}\r\n${long}${'$-1\r\n'.repeat(keys.length - 1)}`;
    });
    const client = clientOf(t, port);
    client.socket.write(`${asked}\r\nMGET a\r\n`);
    const wanted = `${TOO_LONG}*1\r\n${long}`;
    await eventually('the replies', () => client.got().length >= wanted.length || undefined);
    assert.equal(client.got(), wanted);
  });
}
