import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const ABORTED = '-EXECABORT Transaction discarded because of previous errors.\r\n';
const LONG = 'x'.repeat(400_000);

for (const [what, asked, wanted] of [
  [
    'SCRIPT DEBUG',
    'SCRIPT DEBUG YES\r\n',
    "-ERR 'script|debug' is not carried out by this proxy: it is for administrators, who ask a node itself\r\n",
  ],
  [
    'SCRIPT DEBUG in a transaction',
    'MULTI\r\nSET a 1\r\nSCRIPT DEBUG YES\r\nEXEC\r\n',
    `+OK\r\n+OK\r\n-ERR Command 'script' not allowed inside a transaction\r\n${ABORTED}`,
  ],
  [
    'CLUSTER in a transaction',
    'MULTI\r\nSET a 1\r\nCLUSTER RESET\r\nEXEC\r\n',
    `+OK\r\n+OK\r\n-ERR Command 'cluster' not allowed inside a transaction\r\n${ABORTED}`,
  ],
  [
    'CLIENT in a transaction',
    'MULTI\r\nSET a 1\r\nCLIENT ID\r\nEXEC\r\n',
    `+OK\r\n+OK\r\n-ERR Command 'client' not allowed inside a transaction\r\n${ABORTED}`,
  ],
  [
    'more than a mebibyte before the first key',
    `MULTI\r\n${`*2\r\n$4\r\nECHO\r\n$400000\r\n${LONG}\r\n`.repeat(3)}EXEC\r\n`,
    `+OK\r\n+QUEUED\r\n+QUEUED\r\n-ERR the commands of this transaction before its first key are too long\r\n${ABORTED}`,
  ],
] as const) {
  test(`${what} is refused, and reaches no server`, async (t) => {
    const redis = await serverThat(t, () => '+OK\r\n');
    const { port } = await proxyFor(t, planTo(redis.port));
    const client = clientOf(t, port);
    client.socket.write(asked);
    await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
      seen: () => client.got(),
    });
    assert.equal(client.got(), wanted);
    assert.ok(!redis.asked.some((words) => /^(?:SCRIPT|CLUSTER|ECHO)/.test(words)));
  });
}

test('a consumer group named like a word of the command waits on a connection of its own', async (t) => {
  const redis = await serverThat(t, (words) => (words.startsWith('XREADGROUP') ? undefined : '+OK\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port));
  const waiting = clientOf(t, port);
  waiting.socket.write('XREADGROUP GROUP streams one BLOCK 0 STREAMS s >\r\n');
  await eventually('the command', () => redis.asked.some((words) => words.startsWith('XREAD')) || undefined);
  const other = clientOf(t, port);
  other.socket.write('SET a 1\r\n');
  await eventually('a reply that it does not hold up', () => other.got() !== '' || undefined);
});
