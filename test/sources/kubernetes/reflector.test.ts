import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { eventually } from '../../../src/demo/eventually.ts';
import { ApiError } from '../../../src/sources/kubernetes/api-error.ts';
import { Reflector, type RawObject, type ReflectorState } from '../../../src/sources/kubernetes/reflector.ts';
import { raw, ScriptedApi, type OpenWatch } from './scripted-api.ts';

interface Following {
  readonly api: ScriptedApi;
  /** By name, with its version. */
  readonly known: Map<string, string>;
  readonly lists: string[][];
  readonly states: ReflectorState[];
  /** The watch that is open by then; counts from 0. */
  readonly watch: (index: number) => Promise<OpenWatch>;
}

function follow(
  t: TestContext,
  script: (api: ScriptedApi) => void,
  random: () => number = () => 0,
): Following {
  const api = new ScriptedApi();
  const known = new Map<string, string>();
  const lists: string[][] = [];
  const states: ReflectorState[] = [];
  script(api);
  const versionOf = ({ metadata }: RawObject): string => metadata.resourceVersion ?? '';
  const reflector = new Reflector({
    api,
    path: '/api/v1/services',
    apiVersion: 'v1',
    kind: 'Service',
    onList: (objects) => {
      lists.push(objects.map(({ metadata }) => metadata.name));
      known.clear();
      for (const object of objects) known.set(object.metadata.name, versionOf(object));
    },
    onSet: (object) => known.set(object.metadata.name, versionOf(object)),
    onDeleted: ({ metadata }) => known.delete(metadata.name),
    onState: (state) => states.push(state),
    random,
  });
  void reflector.run();
  t.after(() => reflector.stop());
  const watch = (index: number): Promise<OpenWatch> => eventually(`watch ${index}`, () => api.watches[index]);
  return { api, known, lists, states, watch };
}

test('a list is read page by page and counts as a whole', async (t) => {
  const { api, lists, watch } = follow(t, (api) => {
    api.willList([raw('a')], '7', 'next');
    api.willList([raw('b')], '7');
  });
  const { query } = await watch(0);
  assert.deepEqual(lists, [['a', 'b']]);
  assert.deepEqual(
    api.asked.map(({ limit, continue: page }) => [limit, page]),
    [
      ['500', undefined],
      ['500', 'next'],
    ],
  );
  assert.deepEqual([query['resourceVersion'], query['allowWatchBookmarks']], ['7', 'true']);
});

test('a page that has expired begins the list anew', async (t) => {
  const { lists, watch } = follow(t, (api) => {
    api.willList([raw('a')], '7', 'next');
    api.willFail(410);
    api.willList([raw('c')], '9');
  });
  await watch(0);
  assert.deepEqual(lists, [['c']]);
});

test('events change what is known, and a watch that ended goes on from the last of them', async (t) => {
  const { known, watch, lists } = follow(t, (api) => api.willList([raw('a')], '7'));
  const first = await watch(0);
  first.event('ADDED', raw('b', '8'));
  first.event('MODIFIED', raw('b', '9'));
  first.event('DELETED', raw('a', '10'));
  first.end();
  const second = await watch(1);
  assert.deepEqual([...known], [['b', '9']]);
  assert.equal(second.query['resourceVersion'], '10');
  assert.equal(lists.length, 1);
});

test('a bookmark moves the version and no object', async (t) => {
  const { known, watch } = follow(t, (api) => api.willList([raw('a', '1')], '7'));
  const first = await watch(0);
  first.event('BOOKMARK', { metadata: { resourceVersion: '50' } });
  first.end();
  assert.equal((await watch(1)).query['resourceVersion'], '50');
  assert.deepEqual([...known], [['a', '1']]);
});

test('version too old (410): the list tells what was missed, deletions too', async (t) => {
  const { known, watch } = follow(t, (api) => {
    api.willList([raw('a'), raw('b')], '7');
    api.willList([raw('b', '20')], '21');
  });
  (await watch(0)).event('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });
  const second = await watch(1);
  assert.deepEqual([...known], [['b', '20']]);
  assert.equal(second.query['resourceVersion'], '21');
});

test('a version that is too old is listed anew at once, and only after a wait if that is so again', async (t) => {
  const tooOld = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
  const script = (api: ScriptedApi): void => {
    for (const version of ['7', '21', '22']) api.willList([raw('a')], version);
  };
  // Waits are longer than any test.
  const { watch, lists, states } = follow(t, script, () => 1_000);
  (await watch(0)).event('ERROR', tooOld);
  (await watch(1)).event('ERROR', tooOld);
  for (let turn = 0; turn < 100; turn += 1) await setImmediate();
  assert.equal(lists.length, 2);
  assert.deepEqual(states, ['following', 'unreachable']);
});

test('a server that is restarted twice is listed anew at once each time, when a watch went on in between', async (t) => {
  const tooOld = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
  const script = (api: ScriptedApi): void => {
    for (const version of ['7', '21', '22']) api.willList([raw('a')], version);
  };
  const { watch, lists } = follow(t, script, () => 1_000);
  (await watch(0)).event('ERROR', tooOld);
  const second = await watch(1);
  second.event('BOOKMARK', { metadata: { resourceVersion: '21' } });
  second.event('ERROR', tooOld);
  await watch(2);
  assert.equal(lists.length, 3);
});

test('a connection that is cut is taken up again where it was, and nothing is forgotten', async (t) => {
  const { known, watch, lists } = follow(t, (api) => api.willList([raw('a')], '7'));
  (await watch(0)).end(new ApiError(0, 'Cut', 'the connection was cut'));
  assert.equal((await watch(1)).query['resourceVersion'], '7');
  assert.deepEqual([[...known.keys()], lists.length], [['a'], 1]);
});

for (const [status, state] of [
  [403, 'forbidden'],
  [404, 'absent'],
  [500, 'unreachable'],
] as const) {
  test(`${status} on a watch freezes what is known, until one opens again, be it silent`, async (t) => {
    const { known, watch, states } = follow(t, (api) => {
      api.willList([raw('a')], '7');
      api.willRefuseToWatch(status);
    });
    const opened = await watch(0);
    assert.deepEqual(states, ['following', state, 'following']);
    assert.deepEqual([...known.keys()], ['a']);
    opened.event('ADDED', raw('b', '8'));
    assert.deepEqual([...known.keys()], ['a', 'b']);
  });
}

test('a kind that is not installed yet is listed once it is', async (t) => {
  const { states, lists, watch } = follow(t, (api) => {
    api.willFail(404);
    api.willList([], '3');
  });
  await watch(0);
  assert.deepEqual([states, lists], [['absent', 'following'], [[]]]);
});

test('an answer that is no list does not pass for an empty one', async (t) => {
  const { lists, watch, states } = follow(t, (api) => {
    api.willAnswer({ message: 'welcome to the proxy' });
    api.willAnswer(undefined);
    api.willList([raw('a')], '7');
  });
  await watch(0);
  assert.deepEqual([states, lists], [['unreachable', 'following'], [['a']]]);
});

test('a list of null, as an empty one is written, is empty', async (t) => {
  const { lists, watch } = follow(t, (api) => api.willList(null, '7'));
  await watch(0);
  assert.deepEqual(lists, [[]]);
});
