import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const OWN_REPLY: Readonly<Record<string, string>> = {
  DBSIZE: ':1\r\n',
  'SCAN 0': '*2\r\n$1\r\n0\r\n*0\r\n',
  'EVAL_RO return(1) 0': ':1\r\n',
  FLUSHALL: '+OK\r\n',
};

for (const [command, wanted] of [
  ['DBSIZE', ':1\r\n'],
  ['SCAN 0', '*2\r\n$1\r\n0\r\n*0\r\n'],
  ['EVAL_RO return(1) 0', ':1\r\n'],
  // It may have been carried out.
  ['FLUSHALL', '-upstream failure\r\n'],
] as const) {
  for (const policy of ['MASTER', 'REPLICA'] as const) {
    test(`${command} whose primary is lost, under ${policy}: ${JSON.stringify(wanted)}`, async (t) => {
      let isLost = false;
      const cluster = await clusterThat(t, 1, (words, _node, socket) => {
        if (words === command && !isLost) {
          isLost = true;
          return void socket.destroy();
        }
        return words === 'READONLY' ? '+OK\r\n' : OWN_REPLY[words];
      });
      const { port, proxy } = await proxyFor(t, cluster.plan(policy), { failoverWaitMs: 30_000 });
      await eventually('the topology', () => proxy.notReady() === undefined || undefined);
      const client = clientOf(t, port);
      client.socket.write(`${command}\r\n`);
      await eventually('the reply', () => client.got().endsWith('\r\n') || undefined);
      assert.equal(client.got(), wanted);
    });
  }
}
