import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';

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

/** Writes with those words are done when `release` is called. */
function holding(api: FilterStore, what: string): { readonly reached: () => boolean; release: () => void } {
  let isReached = false;
  let release = (): void => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  api.hold = (asked) => {
    if (asked !== what) return undefined;
    isReached = true;
    return held;
  };
  return { reached: () => isReached, release };
}

// At once: most wait for the next attempt.
suite('namespaces that were left', { concurrency: true }, () => {
  test('a namespace is written down before anything is written into it', async (t) => {
    const { api } = keepMesh(t, [OWN, IN_SHOP], ['redis', 'shop', 'unused']);
    await eventually('two EnvoyFilters', () => (api.filters.size === 2 ? true : undefined));
    assert.deepEqual(api.writes[0], 'POST configmap ');
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

  test('where it can not be known, it is not asked for at every change', async (t) => {
    const api = new FilterStore();
    let asked = 0;
    api.refuse = (what) => {
      if (!what.includes('configmap')) return undefined;
      asked += 1;
      return new ApiError(500, 'Test', 'a test');
    };
    const { keeper, state, outcome } = keepMesh(t, [OWN], ['redis'], api);
    await outcome((text) => text.includes('ConfigMap'));
    const before = asked;
    const { looks } = state;
    while (state.looks < looks + 20) {
      const { looks: last } = state;
      keeper.wake();
      await eventually('a look', () => (state.looks > last ? true : undefined));
    }
    assert.ok(asked - before < 10, `${asked - before} requests`);
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

  test('what could not be read is not written over, and counts again once it can be', async (t) => {
    const api = await formerly(t);
    api.refuse = (asked) => (asked === 'GET configmap ' ? FORBIDDEN : undefined);
    const { want } = now(t, api);
    want(OWN, documentOf('redis/redpilot-another'));
    await eventually('it goes on', () => (api.filters.has('redis/redpilot-another') ? true : undefined));
    assert.equal(remembered(api), 'redis\nshop');
    api.refuse = () => undefined;
    await eventually('forgotten', () => (remembered(api) === 'redis' ? true : undefined));
    assert.equal(keysOf(api), 'redis/redpilot-another redis/redpilot-cache shop/foreign');
  });

  test('what could not be written is, once it can be', async (t) => {
    const api = new FilterStore();
    api.refuse = (asked) => (asked === 'POST configmap ' ? FORBIDDEN : undefined);
    keepMesh(t, [OWN], ['redis'], api);
    await eventually('it goes on', () => (api.filters.size === 1 ? true : undefined));
    api.refuse = () => undefined;
    await eventually('it is written', () => (remembered(api) === 'redis' ? true : undefined));
  });

  test('an answer that is no list is no memory that is empty', async (t) => {
    const api = await formerly(t);
    const request = api.request.bind(api);
    let isBroken = true;
    api.request = async (path, options) =>
      isBroken && path.endsWith('/configmaps') && options?.method === undefined ? {} : request(path, options);
    const { lines } = now(t, api);
    await eventually('it is told', () => lines.find((line) => line.includes('the answer is not a list')));
    isBroken = false;
    await eventually('forgotten', () => (remembered(api) === 'redis' ? true : undefined));
    assert.equal(keysOf(api), 'redis/redpilot-cache shop/foreign');
  });

  test('what one that leads no longer still writes takes nothing from what the next has written', async (t) => {
    const api = await formerly(t);
    const first = now(t, api);
    const { reached, release } = holding(api, 'PATCH configmap redpilot-istio');
    await eventually('it is about to forget', () => (reached() ? true : undefined));
    first.state.isLeader = false;
    api.hold = () => undefined;
    keepMesh(t, [OWN, IN_SHOP, documentOf('pay/redpilot.redis.cache')], ['redis', 'shop', 'pay'], api);
    await eventually('its own', () => (remembered(api) === 'pay\nredis\nshop' ? true : undefined));
    const { looks } = first.state;
    release();
    await eventually('a look', () => (first.state.looks > looks ? true : undefined));
    assert.equal(remembered(api), 'pay\nredis\nshop');
  });

  test('into a namespace that is just being forgotten nothing is written', async (t) => {
    const { api, want, state } = keepMesh(t, [OWN, IN_SHOP], ['redis', 'shop', 'pay']);
    await eventually('two EnvoyFilters', () => (api.filters.size === 2 ? true : undefined));
    want(OWN);
    await eventually('one', () => (api.filters.size === 1 ? true : undefined));
    const { reached, release } = holding(api, 'PATCH configmap redpilot-istio');
    want(OWN, documentOf('pay/redpilot.redis.cache'));
    await eventually('it is about to forget', () => (reached() ? true : undefined));
    const { looks } = state;
    want(OWN, IN_SHOP, documentOf('pay/redpilot.redis.cache'));
    await eventually('a look', () => (state.looks > looks ? true : undefined));
    assert.ok(!api.filters.has('shop/redpilot.redis.cache'));
    release();
    await eventually('written down', () => (remembered(api) === 'pay\nredis\nshop' ? true : undefined));
    await eventually('written', () => (api.filters.size === 3 ? true : undefined));
  });
});
