import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { EnvoyFilterDocument } from '../../src/istio/envoy-filter.ts';
import type { KeptFilter } from '../../src/istio/envoy-filters.ts';
import { MeshKeeper } from '../../src/mesh/keeper.ts';
import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import { FilterStore } from './filter-store.ts';

const OWNER = { kind: 'RedisService', namespace: 'redis', name: 'cache' };

const DOCUMENT: EnvoyFilterDocument = {
  namespace: 'redis',
  name: 'redpilot-cache',
  owner: OWNER,
  body: {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: {
      namespace: 'redis',
      name: 'redpilot-cache',
      labels: { 'app.kubernetes.io/managed-by': 'redpilot' },
      annotations: { 'redpilot.dev/owner': 'redis/cache' },
    },
    spec: { priority: 10, configPatches: [] },
  },
};

interface Kept {
  readonly keeper: MeshKeeper;
  readonly api: FilterStore;
  readonly lines: readonly string[];
  /** What is wanted, and who may write, from now on. */
  readonly state: {
    documents: readonly EnvoyFilterDocument[];
    kept: readonly KeptFilter[];
    isLeader: boolean;
  };
}

/** Closed when the test ends. */
function keep(
  t: TestContext,
  prepare: (api: FilterStore) => void = () => {},
  namespaces: readonly string[] = [],
): Kept {
  const api = new FilterStore();
  prepare(api);
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const state: Kept['state'] = { documents: [DOCUMENT], kept: [], isLeader: true };
  const keeper = new MeshKeeper({
    api,
    controlPlane: 'redpilot',
    namespaces,
    drainMs: 100,
    priority: 10,
    mayWrite: () => state.isLeader,
    wanted: () => ({
      filters: { write: state.documents, keep: state.kept, diagnostics: [] },
      owners: new Map([['redis/cache', 'u1']]),
    }),
    redact: (text) => text.replaceAll(/never-shown|two\nlines/g, '[redacted]'),
    onChange: () => {},
    log: { info: say, warn: say },
  });
  keeper.start();
  t.after(() => keeper.close());
  return { keeper, api, lines, state };
}

/** Every write is answered with it. */
function refusing(error: ApiError): FilterStore['refuse'] {
  return (what) => (what.startsWith('GET') ? undefined : error);
}

const outcome = (keeper: MeshKeeper, look: (text: string) => boolean): Promise<string> =>
  eventually(
    'an outcome',
    () => {
      const text = JSON.stringify(keeper.outcomeOf('redis/cache') ?? 'none');
      return look(text) ? text : undefined;
    },
    { deadlineMs: 30_000, seen: () => JSON.stringify(keeper.outcomeOf('redis/cache')) },
  );

const isWritten = (text: string): boolean => text === '{"written":["redis/redpilot-cache"]}';

test('what is refused is told without passwords, and tried again until it is taken', async (t) => {
  const { keeper, api, lines } = keep(t, (store) => {
    store.refuse = refusing(new ApiError(400, 'BadRequest', 'a webhook says: "never-shown" is no value'));
  });
  const pending = await outcome(keeper, (text) => text.includes('webhook'));
  assert.match(pending, /EnvoyFilter redis\/redpilot-cache: a webhook says: .*\[redacted\].* is no value/);
  await eventually('a second attempt', () => (api.writes.length >= 2 ? true : undefined), {
    deadlineMs: 30_000,
  });
  api.refuse = () => undefined;
  await outcome(keeper, isWritten);
  assert.doesNotMatch(lines.join('\n'), /never-shown/);
});

test('where EnvoyFilters are not followed it says how they are', async (t) => {
  const { keeper, api } = keep(t, () => {}, ['shop']);
  const pending = await outcome(keeper, (text) => text.includes('not followed'));
  assert.match(pending, /namespace redis are not followed; write the namespace into --istio-namespaces/);
  assert.deepEqual(api.writes, []);
});

test('a password over two lines is taken out before all but the first line is cut off', async (t) => {
  const { keeper } = keep(t, (store) => {
    store.refuse = refusing(new ApiError(400, 'BadRequest', 'a webhook says: two\nlines'));
  });
  const pending = await outcome(keeper, (text) => text.includes('webhook'));
  assert.match(pending, /a webhook says: \[redacted\]/);
});

test('an EnvoyFilter that is there and can not be made anew is not told as written', async (t) => {
  const { keeper, state } = keep(t);
  await outcome(keeper, isWritten);
  state.documents = [];
  state.kept = [{ namespace: 'redis', name: 'redpilot-cache', owner: OWNER, why: 'there is no host' }];
  keeper.wake();
  const text = await outcome(keeper, (told) => told.includes('no host'));
  assert.equal(
    text,
    '{"written":[],"kept":"EnvoyFilter redis/redpilot-cache stays as an earlier version of the object wanted it: there is no host"}',
  );
});

test('only who may write writes, and knows nevertheless how things stand', async (t) => {
  const { keeper, api, state } = keep(t);
  state.isLeader = false;
  await outcome(keeper, (text) => text.includes('it is being written'));
  assert.deepEqual(api.writes, []);
  state.isLeader = true;
  keeper.wake();
  await outcome(keeper, isWritten);
});

test('what the API server makes something else of is written once', async (t) => {
  const { keeper, api } = keep(t, (store) => {
    store.storeAs = () => ({ priority: 10 });
  });
  await outcome(keeper, isWritten);
  keeper.wake();
  await outcome(keeper, isWritten);
  assert.deepEqual(api.writes, ['PATCH redis/redpilot-cache']);
});

test('what nobody wants any more is removed, and there is nothing to say of it', async (t) => {
  const { keeper, api, state } = keep(t);
  await outcome(keeper, isWritten);
  state.documents = [];
  keeper.wake();
  await outcome(keeper, (text) => text === '"none"');
  await eventually('it is gone', () => (api.filters.size === 0 ? true : undefined));
  assert.deepEqual(api.writes, ['PATCH redis/redpilot-cache', 'DELETE redis/redpilot-cache']);
});

test('what a webhook warns of is in the log, once', async (t) => {
  const { keeper, api, lines, state } = keep(t, (store) => {
    store.warning = 'this is internal';
  });
  await outcome(keeper, isWritten);
  const changed = { ...DOCUMENT.body, spec: { priority: 11, configPatches: [] } };
  state.documents = [{ ...DOCUMENT, body: changed }];
  keeper.wake();
  await eventually('it is changed', () => (api.writes.length === 2 ? true : undefined));
  await outcome(keeper, isWritten);
  assert.equal(lines.filter((line) => line.includes('this is internal')).length, 1);
});
