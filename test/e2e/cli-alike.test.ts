/**
 * What several commands take alike, or from the environment.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { redpilot, type Ended } from './command-line.ts';

const SAMPLE = fileURLToPath(new URL('../../manifests/samples/read-policy.yaml', import.meta.url));

test('validate takes what is to be read as it is, or as --config as the other commands', async () => {
  const plain = await redpilot(['validate', SAMPLE]);
  assert.deepEqual(await redpilot(['validate', '--config', SAMPLE]), plain);
  assert.deepEqual(await redpilot(['validate', SAMPLE, '--config', SAMPLE]), plain);
  const serve = await redpilot(['serve', SAMPLE]);
  assert.match(serve.stderr, /too many arguments .*; give what is to be read behind --config; see/);
  const none = await redpilot(['validate']);
  assert.equal(none.status, 2);
  assert.match(
    none.stderr,
    /^redpilot: missing argument 'path': name a file or folder of objects; see redpilot/,
  );
});

for (const command of ['serve', 'proxy']) {
  test(`${command}: REDPILOT_LOG_LEVEL says what is logged, unless a flag does`, async (t) => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    t.after(() => taken.close());
    const { port } = taken.address() as { readonly port: number };
    // Both log what they see wrong, and end for the address.
    const where =
      command === 'serve' ? ['--admin-address', '127.0.0.1:0', '--xds-address'] : ['--admin-address'];
    const call = [command, '--config', SAMPLE, ...where, `127.0.0.1:${port}`];
    const ended = async (level: string, ...more: readonly string[]): Promise<Ended> =>
      await redpilot([...more, ...call], '', { REDPILOT_LOG_LEVEL: level, REDPILOT_LISTN: ':1' });
    for (const [level, flags, isLogged] of [
      ['', [], true],
      ['silent', [], false],
      ['silent', ['--log-level', 'warn'], true],
    ] as const) {
      const { status, stderr } = await ended(level, ...flags);
      assert.equal(status, 1, stderr);
      assert.equal(/"level":[34]0/.test(stderr), isLogged, `${level} ${flags.join(' ')}: ${stderr}`);
    }
    const wrong = await ended('loud');
    assert.equal(wrong.status, 2);
    const levels = 'trace, debug, info, warn, error, fatal, silent';
    assert.match(wrong.stderr, new RegExp(`'loud' from env 'REDPILOT_LOG_LEVEL' is invalid.*${levels};`));
  });
}
