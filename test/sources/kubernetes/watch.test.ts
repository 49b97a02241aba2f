import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import type { Remembered } from '../../../src/sources/kubernetes/memory.ts';
import { watchKubernetes, type KubernetesSource } from '../../../src/sources/kubernetes/watch.ts';
import type { ObjectChanges } from '../../../src/world/world.ts';
import { startApiStandIn, type ApiStandIn } from './api-stand-in.ts';

interface Followed {
  readonly api: ApiStandIn;
  readonly source: KubernetesSource;
  /** Kinds and names, of each change that has some. */
  readonly changes: readonly string[];
  readonly lines: readonly string[];
}

async function follow(
  t: TestContext,
  prepare: (api: ApiStandIn) => void = () => {},
  onRemembered: (remembered: Remembered) => void = () => {},
): Promise<Followed> {
  const api = await startApiStandIn(t);
  prepare(api);
  const changes: string[] = [];
  const lines: string[] = [];
  const say = (line: string): number => lines.push(line);
  const source = watchKubernetes({
    config: api.config,
    namespaces: [],
    memoryNamespace: 'redpilot',
    onRemembered,
    onChange: ({ set }: ObjectChanges) => {
      if (set.length > 0) changes.push(set.map(({ kind, name }) => `${kind} ${name}`).join(', '));
    },
    log: { info: say, warn: say },
  });
  t.after(() => source.close());
  await source.complete;
  return { api, source, changes, lines };
}

async function add(api: ApiStandIn, secret: string): Promise<void> {
  const metadata = { name: 'cache', namespace: 'redis', resourceVersion: '2', uid: '1' };
  const spec = { host: ['cache.redis'], settings: { auth: { secret: { name: secret } } } };
  const event = { type: 'ADDED', object: { metadata, spec } };
  await eventually('a watch', () => api.tell('redisservices', event) || undefined);
}

const BOOKMARK = { metadata: { resourceVersion: '2' } };

const secret = {
  metadata: { name: 'password', namespace: 'redis', resourceVersion: '1' },
  type: 'Opaque',
  data: { password: Buffer.from('x').toString('base64') },
};

test('of an API server that does not answer at the start it is said that nothing is served, and what to look at', async (t) => {
  const { lines } = await follow(t, (api) => api.refuse('redisservices', 1));
  const [first = '', ...others] = lines.filter((line) => line.startsWith('redisservices'));
  assert.match(
    first,
    /can't be followed; nothing is served until they can be \(.*503.*\); look whether .* KUBECONFIG/,
  );
  assert.deepEqual(others, ['redisservices are followed again']);
});

test('what a server forbids that has just started is asked for again before anything is served', async (t) => {
  const remembered: Remembered[] = [];
  const { source, lines } = await follow(
    t,
    (api) => {
      api.list('configmaps', [{ data: { modes: '[["cache.redis:6379","cluster"]]' } }]);
      api.forbidUntil('redisservices');
    },
    (what) => remembered.push(what),
  );
  for (const kind of ['RedisDestination', 'Service', 'EndpointSlice'] as const)
    assert.equal(source.guessed(kind, undefined), undefined);
  assert.deepEqual([...(remembered[0]?.modes ?? [])], [['cache.redis:6379', 'cluster']]);
  assert.equal(new Set(lines).size, lines.length, lines.join('\n'));
});

test('an object that names a Secret which was not read yet comes together with it', async (t) => {
  const { api, changes } = await follow(t);
  await add(api, 'password');
  await eventually('the question', () => (api.asked.length > 0 ? true : undefined));
  api.give(secret);
  await eventually('the change', () => (changes.length > 0 ? true : undefined));
  assert.deepEqual(changes, ['RedisService cache, Secret password']);
});

test('an object that waits for its Secret is ahead of what was reported, and that is known', async (t) => {
  const { api, source, changes } = await follow(t);
  assert.equal(source.isBehind, false);
  await add(api, 'password');
  await eventually('the question', () => (api.asked.length > 0 ? true : undefined));
  assert.deepEqual(
    Array.from(source.own(), ({ name }) => name),
    ['cache'],
  );
  assert.equal(source.isBehind, true);
  api.give(secret);
  await eventually('the change', () => (changes.length > 0 ? true : undefined));
  assert.equal(source.isBehind, false);
});

test('a Secret that is not answered for holds nothing up for long', async (t) => {
  const { api, changes } = await follow(t);
  await add(api, 'password');
  await eventually('the change', () => (changes.length > 0 ? true : undefined));
  assert.deepEqual(changes, ['RedisService cache']);
});

test('a watch whose connection is reset is taken up again without a word', async (t) => {
  const { api, changes, lines } = await follow(t);
  await eventually(
    'a watch',
    () => api.tell('redisservices', { type: 'BOOKMARK', object: BOOKMARK }) || undefined,
  );
  api.cut('redisservices');
  api.give(secret);
  await add(api, 'password');
  await eventually('the change', () => (changes.length > 0 ? true : undefined));
  assert.deepEqual(lines, []);
});

test('a kind that is followed again spares the others their wait for the API server', async (t) => {
  const { api, lines } = await follow(t);
  const event = { type: 'BOOKMARK', object: BOOKMARK };
  for (const [plural, retryAfterS] of [
    ['services', 3_600],
    ['redisservices', 1],
  ] as const) {
    await eventually('a watch', () => api.tell(plural, event) || undefined);
    api.refuse(plural, retryAfterS);
    api.cut(plural);
    await eventually('the loss', () => lines.some((line) => line.startsWith(plural)) || undefined);
  }
  await eventually('services again', () => lines.includes('services are followed again') || undefined, {
    seen: () => lines.join('\n'),
  });
});

test('what the API server was not asked in time is not waited for when the source ends', async (t) => {
  const { api, source } = await follow(t);
  const ask = (): Promise<unknown> => source.api.request('/api/v1/namespaces/redis/secrets/nobody');
  const before = assert.rejects(ask());
  await eventually('the request', () => api.asked.includes('nobody') || undefined);
  await source.close();
  await before;
  await assert.rejects(ask(), { name: 'AbortError' });
});
