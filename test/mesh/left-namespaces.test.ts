import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import { FilterStore } from './filter-store.ts';
import { documentOf, eventually, keepMesh, type KeptMesh } from './kept-mesh.ts';

const OWN = documentOf('redis/redpilot-cache');
const IN_SHOP = documentOf('shop/redpilot.redis.cache');
const FORBIDDEN = new ApiError(403, 'Forbidden', 'the test forbids it');

const remembered = ({ configMaps }: FilterStore): string | undefined =>
  configMaps.get('redpilot-istio')?.['namespaces'];

/** One that has written into `redis` and `shop`, and ended; with an EnvoyFilter of somebody else in `shop`. */
async function formerly(t: TestContext): Promise<FilterStore> {
  const { api, keeper } = keepMesh(t, [OWN, IN_SHOP], ['redis', 'shop']);
  await eventually('two EnvoyFilters', () => (api.filters.size === 2 ? true : undefined));
  await keeper.close();
  const { metadata } = api.filters.get('shop/redpilot.redis.cache') ?? assert.fail();
  const foreign = {
    ...metadata,
    name: 'foreign',
    managedFields: [{ manager: 'kubectl', operation: 'Apply' }],
  };
  api.filters.set('shop/foreign', { metadata: foreign, spec: {} });
  api.writes.length = 0;
  return api;
}

const now = (t: TestContext, api: FilterStore): KeptMesh => keepMesh(t, [OWN], ['redis'], api);

const keysOf = ({ filters }: FilterStore): string => [...filters.keys()].sort().join(' ');

test('a namespace is written down before anything is written into it', async (t) => {
  const { api } = keepMesh(t, [OWN, IN_SHOP], ['redis', 'shop', 'unused']);
  await eventually('two EnvoyFilters', () => (api.filters.size === 2 ? true : undefined));
  assert.deepEqual(api.writes[0], 'PATCH configmap redpilot-istio');
  assert.equal(api.writes.filter((what) => what.includes('configmap')).length, 1);
  assert.equal(remembered(api), 'redis\nshop');
});

test('in a namespace that is followed no longer ours go, and it is forgotten', async (t) => {
  const api = await formerly(t);
  now(t, api);
  await eventually('forgotten', () => (remembered(api) === 'redis' ? true : undefined));
  assert.equal(keysOf(api), 'redis/redpilot-cache shop/foreign');
  assert.deepEqual(
    api.writes.filter((what) => !what.includes('configmap')),
    ['DELETE shop/redpilot.redis.cache'],
  );
});

test('nothing is written into it for an object', async (t) => {
  const api = await formerly(t);
  const { keeper, want, outcome } = now(t, api);
  // It has to be followed for this to show anything.
  api.refuse = (what) => (what.startsWith('DELETE') ? FORBIDDEN : undefined);
  await eventually('a refusal', () => keeper.diagnostics()[0]);
  want(OWN, IN_SHOP, documentOf('shop/redpilot.redis.another'));
  await outcome((text) => /namespace shop are not followed/.test(text));
  assert.ok(!api.writes.some((what) => what.startsWith('PATCH shop')), api.writes.join());
});

for (const [what, refuse] of [
  ['to look there', (asked: string) => asked === 'GET shop/'],
  ['to remove', (asked: string) => asked.startsWith('DELETE')],
] as const) {
  test(`without the right ${what} it is told with what helps, remembered, and done once the right is back`, async (t) => {
    const api = await formerly(t);
    api.refuse = (asked) => (refuse(asked) ? FORBIDDEN : undefined);
    const { keeper } = now(t, api);
    const { reason, message } = await eventually('a diagnostic', () => keeper.diagnostics()[0]);
    assert.equal(reason, 'EnvoyFiltersLeft');
    assert.match(
      message,
      /namespace shop, which is followed no longer, can't be removed: .*the test forbids it; /,
    );
    assert.match(
      message,
      /kubectl delete envoyfilters -n shop -l app\.kubernetes\.io\/managed-by=redpilot,redpilot\.dev\/control-plane=redpilot and then kubectl delete configmap -n redpilot redpilot-istio$/,
    );
    assert.equal(remembered(api), 'redis\nshop');
    api.refuse = () => undefined;
    await eventually('forgotten', () => (remembered(api) === 'redis' ? true : undefined));
    assert.equal(keysOf(api), 'redis/redpilot-cache shop/foreign');
    await eventually('no diagnostic', () => (keeper.diagnostics().length === 0 ? true : undefined));
  });
}

test('where somebody has taken the ConfigMap away there is nothing left to do', async (t) => {
  const api = await formerly(t);
  api.refuse = (asked) => (asked === 'GET shop/' ? FORBIDDEN : undefined);
  const { keeper, state } = now(t, api);
  await eventually('a diagnostic', () => keeper.diagnostics()[0]);
  api.configMaps.clear();
  // As after a minute: whoever leads anew reads it again.
  state.isLeader = false;
  const { looks } = state;
  keeper.wake();
  await eventually('a look', () => (state.looks > looks ? true : undefined));
  state.isLeader = true;
  keeper.wake();
  await eventually('no diagnostic', () => (keeper.diagnostics().length === 0 ? true : undefined));
  await eventually('its own', () => (remembered(api) === 'redis' ? true : undefined));
});

test('as long as what is remembered can not be known, nothing is written', async (t) => {
  const api = new FilterStore();
  const broken = new ApiError(500, 'Test', 'a test');
  api.refuse = (what) => (what.includes('configmap') ? broken : undefined);
  const { outcome } = keepMesh(t, [OWN], ['redis'], api);
  const pending = await outcome((text) => text.includes('ConfigMap'));
  assert.match(pending, /ConfigMap redpilot\/redpilot-istio can't be read or written: a test/);
  assert.equal(api.filters.size, 0);
  api.refuse = () => undefined;
  await eventually('it is written', () => (api.filters.size === 1 ? true : undefined));
});

test('who may have no memory goes on without one', async (t) => {
  const api = new FilterStore();
  api.refuse = (what) => (what.includes('configmap') ? FORBIDDEN : undefined);
  const { lines } = keepMesh(t, [OWN], ['redis'], api);
  await eventually('it is written', () => (api.filters.size === 1 ? true : undefined));
  assert.equal(lines.filter((line) => line.includes('so EnvoyFilters stay in namespaces')).length, 1);
});

test('who leads anew asks what another has written meanwhile', async (t) => {
  const api = await formerly(t);
  api.configMaps.clear();
  const { state, keeper } = now(t, api);
  await eventually('its own', () => (remembered(api) === 'redis' ? true : undefined));
  state.isLeader = false;
  const { looks } = state;
  keeper.wake();
  await eventually('a look', () => (state.looks > looks ? true : undefined));
  const { keeper: other } = keepMesh(t, [OWN, IN_SHOP], ['redis', 'shop'], api);
  await eventually('the other has written', () => (remembered(api) === 'redis\nshop' ? true : undefined));
  await other.close();
  state.isLeader = true;
  keeper.wake();
  await eventually('ours gone', () => (remembered(api) === 'redis' ? true : undefined));
  assert.equal(keysOf(api), 'redis/redpilot-cache shop/foreign');
});
