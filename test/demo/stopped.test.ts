import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startLocalServers } from '../../src/demo/local-servers.ts';
import { Screen } from '../../src/demo/screen.ts';
import { needRedis } from '../e2e/environment.ts';

test('who stops the demo while Envoy is fetched is not told that it is missing', async (t) => {
  if ((await needRedis(t)) === undefined) return;
  const before = process.env['ENVOY_BIN'];
  process.env['ENVOY_BIN'] = '/nonexistent/envoy';
  t.after(() => {
    if (before === undefined) delete process.env['ENVOY_BIN'];
    else process.env['ENVOY_BIN'] = before;
  });
  let said = '';
  const stopped = new AbortController();
  const unexpected = (): never => assert.fail('it went on');
  const options = {
    sample: 'sample.yaml',
    port: undefined,
    screen: new Screen({ write: (text) => (said += text) }),
    stop: stopped.signal,
    // Looked at right before Envoy is looked for, which takes a while.
    get dataPlane(): undefined {
      stopped.abort();
      return undefined;
    },
    startControlPlane: unexpected,
    startProxy: unexpected,
    bootstrap: unexpected,
  };
  await assert.rejects(startLocalServers(options, []));
  assert.equal(said, '');
});
