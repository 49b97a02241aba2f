import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const SLOT = slotOf(Buffer.from('moving'), 0, 6);

for (const [what, mark] of [
  ['gives away', `[${SLOT}->-${'a'.repeat(40)}]`],
  ['takes in', `[${SLOT}-<-${'a'.repeat(40)}]`],
] as const) {
  test(`keys of a slot that a primary says it ${what} are read from it, and all others from replicas`, async (t) => {
    let marks = '';
    const cluster = await clusterThat(t, 2, (words, node) => {
      if (words.toUpperCase() === 'CLUSTER NODES') {
        const text = `${'b'.repeat(40)} 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-16383${marks}\n`;
        return `$${text.length}\r\n${text}\r\n`;
      }
      if (words === 'READONLY') return '+OK\r\n';
      return words.startsWith('GET') ? `+${node === 0 ? 'primary' : 'replica'}\r\n` : undefined;
    });
    cluster.slots = [[0, 16_383, 0, 1]];
    const { port } = await proxyFor(t, cluster.plan('REPLICA'), { failoverWaitMs: 20_000 });
    const client = clientOf(t, port);
    const get = async (key: string): Promise<string> => {
      const before = client.got().length;
      client.socket.write(`GET ${key}\r\n`);
      return await eventually('the value', () => client.got().slice(before).trim().slice(1) || undefined);
    };
    const comesFrom = async (role: string): Promise<void> => {
      await eventually(`reads of the ${role}`, async () => (await get('moving')) === role || undefined);
    };
    await comesFrom('replica');
    marks = ` ${mark}`;
    await comesFrom('primary');
    assert.equal(await get('other'), 'replica');
    marks = '';
    await comesFrom('replica');
  });
}

test('what a replica does not have is looked for at its primary until that has said which slots move', async (t) => {
  const cluster = await clusterThat(t, 2, (words, node) => {
    // It says so too late.
    if (words.toUpperCase() === 'CLUSTER NODES') return '';
    if (words === 'READONLY') return '+OK\r\n';
    if (words !== 'GET moving') return undefined;
    return node === 0 ? '+its value\r\n' : '$-1\r\n';
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port } = await proxyFor(t, cluster.plan('REPLICA'));
  const client = clientOf(t, port);
  client.socket.write('GET moving\r\n');
  await eventually('a reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), '+its value\r\n');
});
