/**
 * A server that takes shorter arguments than the proxy closes the connection over which a longer one comes.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { encodeCommand } from '../../src/proxy/wire/encode.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const REFUSAL = '-ERR Protocol error: invalid bulk length\r\n';

for (const [what, size, said] of [
  ['an argument that is too long: what others have asked behind it is asked again', 2_000_000, ':1\r\n'],
  ['the same words from a script: nothing is asked twice', 10, '-upstream failure\r\n'],
] as const) {
  test(`a server closes a connection after ${what}`, async (t) => {
    const doomed = new Set<Socket>();
    const redis = await serverThat(t, (words, socket) => {
      if (words.startsWith('SET')) doomed.add(socket);
      if (words === 'INCR a' && doomed.has(socket)) socket.end(REFUSAL);
      else if (words === 'INCR a') return ':1\r\n';
      return words === 'PING' ? '+PONG\r\n' : undefined;
    });
    const { port } = await proxyFor(t, planTo(redis.port));
    const [greedy, other] = [clientOf(t, port), clientOf(t, port)];
    greedy.socket.write(encodeCommand('SET', 'k', 'x'.repeat(size)));
    await eventually('the long one', () => doomed.size > 0 || undefined);
    other.socket.write('INCR a\r\n');
    await eventually('both replies', () => (greedy.got() !== '' && other.got() !== '') || undefined);
    assert.equal(greedy.got(), REFUSAL);
    assert.equal(other.got(), said);
  });
}
