import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { needRedis } from './environment.ts';
import { startProxyCommand } from './proxy-command.ts';
import { client } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

test('users by name on both sides of a proxy without objects', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const folder = await temporaryFolder('usernames');
  t.after(() => removeFolder(folder));
  const server = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(server));
  await server.client.call('ACL', 'SETUSER', 'proxy', 'on', '>of-redis', '~app:*', '+@all');
  // Our own connection stays, a new one needs the user.
  await server.client.call('ACL', 'SETUSER', 'default', 'off');
  await writeFile(join(folder, 'client'), 'of-clients\n');
  await writeFile(join(folder, 'upstream'), 'of-redis\n');
  const [port = 0] = await freePorts(1);
  await startProxyCommand(
    t,
    [
      `--upstream=127.0.0.1:${server.port}`,
      '--mode=proxy',
      `--listen=127.0.0.1:${port}`,
      '--client-username=app',
      `--client-password-file=${join(folder, 'client')}`,
      `--upstream-password-file=${join(folder, 'upstream')}`,
    ],
    { REDPILOT_UPSTREAM_USERNAME: 'proxy' },
  );
  const app = client(t, port, { username: 'app', password: 'of-clients' });
  assert.equal(await app.set('app:1', 'v'), 'OK');
  assert.equal(await app.get('app:1'), 'v');
  // What Redis says of its user reaches the client.
  assert.match(String(await answerOf(app.get('other:1'))), /^NOPERM/);
  assert.match(String(await server.client.call('CLIENT', 'LIST')), / user=proxy /);

  for (const wrong of [
    { password: 'of-clients' },
    { username: 'default', password: 'of-clients' },
    { username: 'app', password: 'of-redis' },
  ]) {
    await t.test(`nobody else is let in: ${JSON.stringify(wrong)}`, async (t2) => {
      assert.match(String(await answerOf(client(t2, port, wrong).get('app:1'))), /^(NOAUTH|WRONGPASS)/);
    });
  }
});
