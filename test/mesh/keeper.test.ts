import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import { FilterStore } from './filter-store.ts';
import { documentOf, eventually, keepMesh, refusing } from './kept-mesh.ts';

const DOCUMENT = documentOf('redis/redpilot-cache');
const { owner: OWNER } = DOCUMENT;

/** All but what is remembered. */
const writesOf = ({ writes }: FilterStore): readonly string[] =>
  writes.filter((what) => !what.includes('configmap'));

function prepared(prepare: (store: FilterStore) => void): FilterStore {
  const store = new FilterStore();
  prepare(store);
  return store;
}

const isWritten = (text: string): boolean => text === '{"written":["redis/redpilot-cache"]}';

test('what is refused is told without passwords, and tried again until it is taken', async (t) => {
  const { outcome, api, lines } = keepMesh(
    t,
    [DOCUMENT],
    [],
    prepared((store) => {
      store.refuse = refusing(new ApiError(400, 'BadRequest', 'a webhook says: "never-shown" is no value'));
    }),
  );
  const pending = await outcome((text) => text.includes('webhook'));
  assert.match(pending, /EnvoyFilter redis\/redpilot-cache: a webhook says: .*\[redacted\].* is no value/);
  await eventually('a second attempt', () => (writesOf(api).length >= 2 ? true : undefined));
  api.refuse = () => undefined;
  await outcome(isWritten);
  assert.doesNotMatch(lines.join('\n'), /never-shown/);
});

test('where EnvoyFilters are not followed it says how they are', async (t) => {
  const { outcome, api } = keepMesh(t, [DOCUMENT], ['shop']);
  const pending = await outcome((text) => text.includes('not followed'));
  assert.match(pending, /namespace redis are not followed; write the namespace into --istio-namespaces/);
  assert.deepEqual(writesOf(api), []);
});

test('a password over two lines is taken out before all but the first line is cut off', async (t) => {
  const { outcome } = keepMesh(
    t,
    [DOCUMENT],
    [],
    prepared((store) => {
      store.refuse = refusing(new ApiError(400, 'BadRequest', 'a webhook says: two\nlines'));
    }),
  );
  const pending = await outcome((text) => text.includes('webhook'));
  assert.match(pending, /a webhook says: \[redacted\]/);
});

test('an EnvoyFilter that is there and can not be made anew is not told as written', async (t) => {
  const { keeper, outcome, state, want } = keepMesh(t, [DOCUMENT]);
  await outcome(isWritten);
  want();
  state.kept = [{ namespace: 'redis', name: 'redpilot-cache', owner: OWNER, why: 'there is no host' }];
  keeper.wake();
  const text = await outcome((told) => told.includes('no host'));
  assert.equal(
    text,
    '{"written":[],"kept":"EnvoyFilter redis/redpilot-cache stays as an earlier version of the object wanted it: there is no host"}',
  );
});

test('only who may write writes, and knows nevertheless how things stand', async (t) => {
  const { keeper, outcome, api, state } = keepMesh(t, [DOCUMENT]);
  state.isLeader = false;
  await outcome((text) => text.includes('it is being written'));
  assert.deepEqual(writesOf(api), []);
  state.isLeader = true;
  keeper.wake();
  await outcome(isWritten);
});

test('what the API server makes something else of is written once', async (t) => {
  const { keeper, outcome, api } = keepMesh(
    t,
    [DOCUMENT],
    [],
    prepared((store) => {
      store.storeAs = () => ({ priority: 10 });
    }),
  );
  await outcome(isWritten);
  keeper.wake();
  await outcome(isWritten);
  assert.deepEqual(writesOf(api), ['PATCH redis/redpilot-cache']);
});

test('what nobody wants any more is removed, and there is nothing to say of it', async (t) => {
  const { outcome, api, want } = keepMesh(t, [DOCUMENT]);
  await outcome(isWritten);
  want();
  await outcome((text) => text === '"none"');
  await eventually('it is gone', () => (api.filters.size === 0 ? true : undefined));
  assert.deepEqual(writesOf(api), ['PATCH redis/redpilot-cache', 'DELETE redis/redpilot-cache']);
});

test('what a webhook warns of is in the log, once', async (t) => {
  const { outcome, api, lines, want } = keepMesh(
    t,
    [DOCUMENT],
    [],
    prepared((store) => {
      store.warning = 'this is internal';
    }),
  );
  await outcome(isWritten);
  const changed = { ...DOCUMENT.body, spec: { priority: 11, configPatches: [] } };
  want({ ...DOCUMENT, body: changed });
  await eventually('it is changed', () => (writesOf(api).length === 2 ? true : undefined));
  await outcome(isWritten);
  assert.equal(lines.filter((line) => line.includes('this is internal')).length, 1);
});

test('one that somebody has taken over is not written over, even before that is seen', async (t) => {
  const { api, want, outcome } = keepMesh(t, [documentOf('redis/redpilot-cache')]);
  const written = await eventually('it is written', () => api.filters.get('redis/redpilot-cache'));
  // No watch tells of it.
  const metadata = { ...written.metadata, labels: {}, resourceVersion: 'another' };
  api.filters.set('redis/redpilot-cache', { metadata, spec: 'theirs' });
  want(documentOf('redis/redpilot-cache', 6379));
  await outcome((text) => text.includes('is not ours and stays as it is'));
  assert.equal(api.filters.get('redis/redpilot-cache')?.spec, 'theirs');
});

test('one that was changed and is still ours is written all the same', async (t) => {
  const { api, want } = keepMesh(t, [documentOf('redis/redpilot-cache')]);
  const { metadata, spec } = await eventually('it is written', () => api.filters.get('redis/redpilot-cache'));
  const annotations = { ...metadata.annotations, of: 'somebody else' };
  api.filters.set('redis/redpilot-cache', {
    metadata: { ...metadata, annotations, resourceVersion: 'another' },
    spec,
  });
  want(documentOf('redis/redpilot-cache', 6379));
  await eventually('it is written', () =>
    JSON.stringify(api.filters.get('redis/redpilot-cache')?.spec).includes('6379') ? true : undefined,
  );
});

test('a fault in comparing leaves the EnvoyFilters as they are, is told once, and is over when it is', async (t) => {
  const { outcome, state, want, lines, api } = keepMesh(t, [DOCUMENT]);
  await outcome(isWritten);
  state.fault = new Error('a password: never-shown');
  const looksAfter = async (): Promise<void> => {
    const before = state.looks;
    want();
    await eventually('a look', () => (state.looks > before ? true : undefined));
  };
  await looksAfter();
  await looksAfter();
  const told = lines.filter((line) => line.includes('could not be compared'));
  assert.deepEqual(told, [
    'EnvoyFilters are left as they are, since they could not be compared: Error: a password: [redacted]',
  ]);
  assert.equal(api.filters.size, 1);
  delete state.fault;
  want();
  await eventually('its removal', () => (api.filters.size === 0 ? true : undefined));
});
