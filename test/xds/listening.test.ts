import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createXdsServer } from '../../src/xds/server.ts';
import { HandSource, stage } from './surroundings.ts';

const SILENT_LOG = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const refusals: [host: string, expected: RegExp][] = [
  [
    '0.0.0.0',
    /^xDS address "0\.0\.0\.0:18000" is not on loopback, .* give it certificates .*, write "127\.0\.0\.1:18000", or allow it with --insecure$/,
  ],
  ['::', /^xDS address "\[::\]:18000" is not on loopback, .*--insecure$/],
  ['192.0.2.1', /--insecure$/],
  ['redis.example', /--insecure$/],
];
for (const [host, expected] of refusals) {
  test(`server: ${host} is refused without --insecure`, async () => {
    const options = { address: { host, port: 18_000 }, source: new HandSource({}), log: SILENT_LOG };
    await assert.rejects(createXdsServer(options), { message: expected });
  });
}

test('server: a taken port is one line that names the address', async () => {
  await using here = await stage({});
  const [host = '', port = ''] = here.server.address.split(':');
  const options = { address: { host, port: Number(port) }, source: new HandSource({}), log: SILENT_LOG };
  await assert.rejects(createXdsServer(options), {
    message: `xDS address ${here.server.address} is in use by another process; give another with --xds-address`,
  });
});
