/** What a proxy loads before it is known where its plan comes from. */
import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { test } from 'node:test';

const loaded: string[] = [];
const hooks = registerHooks({
  load: (url, context, next) => {
    loaded.push(url);
    return next(url, context);
  },
});
await import('../../src/commands/proxy.ts');
hooks.deregister();

for (const needed of ['@grpc/grpc-js', '@kubernetes/client-node', 'yaml'])
  test(`"redpilot proxy" loads ${needed} only for the source that needs it`, () => {
    assert.deepEqual(
      loaded.filter((url) => url.includes(`/node_modules/${needed}/`)),
      [],
    );
  });

test('what it does need was seen here', () => {
  assert.ok(loaded.some((url) => url.includes('/node_modules/commander/')));
});
