import assert from 'node:assert/strict';
import { test } from 'node:test';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { COMMAND_LINES } from '../../src/redis/command-data.ts';
import { formatSpecLine, specOfEntry, type CommandEntry } from '../../src/redis/command-spec.ts';
import { needRedis } from './environment.ts';

/** Redis 7.0 knows fewer arguments of two and blocks nobody in WAIT: the table holds what Valkey says. */
const DIFFERENT: ReadonlySet<string> = new Set(['zrank', 'zrevrank', 'wait']);

for (const from of ['path', 'wheel'] as const) {
  test(`the command table says what the server from the ${from} says of its commands`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const folder = await temporaryFolder('commands');
    t.after(() => removeFolder(folder));
    const node = await startRedis({ server: redis.server, folder });
    t.after(() => stopRedis(node));
    const table = new Map(
      COMMAND_LINES.trim()
        .split('\n')
        .map((line) => [line.split(' ', 1)[0], line]),
    );
    const entries = (await node.client.call('COMMAND')) as CommandEntry[];
    const wrong = entries
      .map(specOfEntry)
      .filter(({ name }) => !DIFFERENT.has(name))
      .map((spec) => ({ server: formatSpecLine(spec), table: table.get(spec.name) }))
      .filter(({ server, table }) => server !== table);
    assert.ok(entries.length > 200);
    assert.deepEqual(wrong, []);
  });
}
