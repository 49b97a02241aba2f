import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Redis } from 'ioredis';

import { SecretText } from '../../../src/api/secret-text.ts';
import { refusalOfLogin } from '../../../src/sources/observations/login.ts';
import { serverThat } from '../../proxy/servers.ts';

const credentials = { username: 'app', password: new SecretText('sesame') };

const ANSWERS: readonly (readonly [answer: string, refusal: string | undefined])[] = [
  ['+OK', undefined],
  ['-WRONGPASS invalid username-password pair', 'WRONGPASS invalid username-password pair'],
  ['-ERR invalid password', 'ERR invalid password'],
  ['-ERR AUTH <password> called without any password configured for the default user.', undefined],
  ['-ERR Client sent AUTH, but no password is set', undefined],
  // With `rename-command AUTH ""`, as Redis 5 and 7 say it: the password is not to be told to anybody.
  ['-ERR unknown command `AUTH`, with args beginning with: `app`, `sesame`, ', undefined],
  ["-ERR unknown command 'AUTH', with args beginning with: 'app' 'sesame' ", undefined],
];
for (const [answer, refusal] of ANSWERS) {
  test(`${answer}: ${refusal === undefined ? 'lets us in' : 'does not let us in'}`, async (t) => {
    const server = await serverThat(t, () => `${answer}\r\n`);
    const client = new Redis({
      host: '127.0.0.1',
      port: server.port,
      protocol: 2,
      lazyConnect: true,
      enableReadyCheck: false,
      disableClientInfo: true,
    });
    t.after(() => client.disconnect());
    await client.connect();
    assert.equal(await refusalOfLogin(client, credentials), refusal);
    assert.deepEqual(server.asked, ['AUTH app sesame']);
  });
}
