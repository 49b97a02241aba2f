import assert from 'node:assert/strict';
import { test } from 'node:test';

import { withoutPasswords } from '../../../src/proxy/commands/hidden-passwords.ts';
import { eventually } from '../../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from '../servers.ts';

function bulks(...words: readonly string[]): string {
  return words.map((word) => `$${word.length}\r\n${word}\r\n`).join('');
}

function hidden(reply: string): string {
  return withoutPasswords(Buffer.from(reply, 'latin1')).toString('latin1');
}

for (const head of ['*6\r\n', '%3\r\n']) {
  test(`passwords are empty in a reply that begins with ${head.trim()}, whatever they contain`, () => {
    const told = head + bulks('requirepass', '$3\r\nx\r\n', 'maxmemory', '0', 'MasterAuth', 'b');
    assert.equal(hidden(told), head + bulks('requirepass', '', 'maxmemory', '0', 'MasterAuth', ''));
  });
}

test('a value that reads like the name of a password hides nothing', () => {
  const told = '*4\r\n' + bulks('dir', 'requirepass', 'save', '3600 1');
  assert.equal(hidden(told), told);
});

for (const told of [
  '-NOPERM no\r\n',
  '+OK\r\n',
  '*0\r\n',
  '*2\r\n*1\r\n$1\r\na\r\n$1\r\nb\r\n',
  '*2\r\n$-1\r\n$1\r\nb\r\n',
]) {
  test(`${JSON.stringify(told)} stays what it is`, () => assert.equal(hidden(told), told));
}

test('who asks Redis for its password by way of the proxy is told none', async (t) => {
  const redis = await serverThat(t, (words) =>
    /^config get/i.test(words) ? '*2\r\n' + bulks('requirepass', 'sesame') : '+OK\r\n',
  );
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  const none = '*2\r\n' + bulks('requirepass', '');
  const refused = "-ERR Command 'config' not allowed inside a transaction\r\n";
  client.socket.write('WATCH a\r\nCONFIG GET requirepass\r\nMULTI\r\nCONFIG GET requirepass\r\n');
  await eventually('all replies', () => client.got().endsWith(refused) || undefined, {
    seen: () => client.got(),
  });
  assert.equal(client.got(), `+OK\r\n${none}+OK\r\n${refused}`);
});
