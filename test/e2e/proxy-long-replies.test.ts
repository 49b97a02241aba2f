/** A client that asks for much at once and reads nothing, beside one that asks for little. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { catchAll, servers, startListener, startServers } from './proxy-servers.ts';
import { client } from './proxy-setting.ts';

test('of long replies that a client does not read few come, and few are before those of others', async (t) => {
  const nodes = await startServers(t, 1);
  const redis = nodes?.[0]?.client;
  if (nodes === undefined || redis === undefined) return;
  const port = await startListener(t, [servers('a', nodes)], () => catchAll('a'));
  await redis.set('long', Buffer.alloc(1_048_576));
  const other = client(t, port);
  await other.get('short');
  const carriedOut = async (): Promise<number> =>
    Number(/cmdstat_get:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1]);
  const greedy = connect({ host: '127.0.0.1', port });
  greedy.pause().write('GET long\r\n'.repeat(200));
  await eventually('its first command', async () => (await carriedOut()) > 1 || undefined);
  await other.get('short');
  const count = await carriedOut();
  // Nothing is to be drained.
  greedy.destroy();
  assert.ok(count < 64, `${count} were carried out`);
});
