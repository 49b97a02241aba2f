import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { Counter, Registry } from 'prom-client';

import { createAdminServer } from '../src/admin/admin-server.ts';

async function start(
  t: TestContext,
  notReady: () => string | undefined,
): Promise<(path: string) => Promise<Response>> {
  const metrics = new Registry();
  new Counter({ name: 'redpilot_test_total', help: 'a counter', registers: [metrics] }).inc();
  const server = await createAdminServer({
    address: { host: '127.0.0.1', port: 0 },
    notReady,
    metrics,
    documents: { '/config_dump': () => ({ views: [] }), '/debug/syncz': () => [{ node: 'a' }] },
  });
  t.after(() => server.close());
  return (path) => fetch(`http://${server.address}${path}`);
}

test('readiness says what is missing, then that nothing is', async (t) => {
  let missing: string | undefined = 'the files have not been read yet';
  const get = await start(t, () => missing);
  const before = await get('/readyz');
  assert.equal(before.status, 503);
  assert.equal(await before.text(), 'the files have not been read yet\n');
  missing = undefined;
  assert.equal((await get('/readyz')).status, 200);
});

const answers: [path: string, status: number, body: RegExp][] = [
  ['/healthz', 200, /^ok\n$/],
  ['/healthz?verbose', 200, /^ok\n$/],
  ['/metrics', 200, /^redpilot_test_total 1$/m],
  ['/config_dump', 200, /"views": \[\]/],
  ['/debug/syncz', 200, /"node": "a"/],
  ['/', 404, /\/healthz, \/readyz, \/metrics, \/config_dump/],
  ['/constructor', 404, /\/healthz/],
];
for (const [path, status, body] of answers) {
  test(`${path} answers ${status}`, async (t) => {
    const get = await start(t, () => undefined);
    const response = await get(path);
    assert.equal(response.status, status);
    assert.match(await response.text(), body);
  });
}

test('a port that is taken is one line with the remedy', async (t) => {
  const options = {
    notReady: () => undefined,
    metrics: new Registry(),
    documents: {},
  };
  const first = await createAdminServer({ ...options, address: { host: '127.0.0.1', port: 0 } });
  t.after(() => first.close());
  const port = Number(first.address.split(':')[1]);
  await assert.rejects(
    createAdminServer({ ...options, address: { host: '127.0.0.1', port } }),
    new RegExp(
      `admin address 127.0.0.1:${port} is in use by another process; give another with --admin-address`,
    ),
  );
});
