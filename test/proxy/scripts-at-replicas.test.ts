import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const NO_FUNCTION = '-ERR Function not found\r\n';
const NO_SCRIPT = '-NOSCRIPT No matching script. Please use EVAL.\r\n';

for (const [what, words, reply, primary] of [
  ['a function that a replica does not have yet', 'FCALL_RO f 1 k', NO_FUNCTION, ':7\r\n'],
  ['a script that a replica does not have', 'EVALSHA_RO a 1 k', NO_SCRIPT, ':7\r\n'],
  ['a function that nobody has', 'FCALL_RO f 1 k', NO_FUNCTION, NO_FUNCTION],
] as const) {
  test(`${what} is asked of its primary, once`, async (t) => {
    const cluster = await clusterThat(t, 2, (asked, node) => {
      if (asked === 'READONLY') return '+OK\r\n';
      if (asked !== words) return undefined;
      return node === 0 ? primary : reply;
    });
    cluster.slots = [[0, 16_383, 0, 1]];
    const { port } = await proxyFor(t, cluster.plan('REPLICA'));
    const client = clientOf(t, port);
    client.socket.write(`${words}\r\nPING\r\n`);
    await eventually('both replies', () => client.got().endsWith('+PONG\r\n') || undefined);
    assert.equal(client.got(), `${primary}+PONG\r\n`);
    const asked = cluster.nodes.map((node) => node.asked.filter((each) => each === words).length);
    assert.deepEqual(asked, [1, 1]);
  });
}
