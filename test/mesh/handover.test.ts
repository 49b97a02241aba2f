import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import type { FilterStore } from './filter-store.ts';
import { documentOf, eventually, keepMesh } from './kept-mesh.ts';

const [A, B, IN_SHOP, OF_MESH] = ['redis/a', 'redis/b', 'shop/b', 'istio-system/c'] as const;

function portsIn({ filters }: FilterStore): Readonly<Record<string, readonly string[]>> {
  const ports = [...filters].map(([key, { spec }]) => {
    const found = [...JSON.stringify(spec).matchAll(/"port_value":(\d+)/g)];
    return [key, found.map(([, port = '']) => port)] as const;
  });
  return Object.fromEntries(ports);
}

/** Whether two that meet in a sidecar have had one address to listen on at any time. */
function watchForTwo(api: FilterStore): () => readonly string[] {
  const found: string[] = [];
  const before = api.refuse;
  const look = (): void => {
    const all = Object.entries(portsIn(api));
    for (const [key, ports] of all) {
      for (const [other, others] of all) {
        const meet = key.split('/')[0] === other.split('/')[0] || key.startsWith('istio-system/');
        if (key !== other && meet && ports.some((port) => others.includes(port)))
          found.push(`${key} ${other}`);
      }
    }
  };
  api.refuse = (what) => {
    look();
    return before(what);
  };
  return () => {
    look();
    return found;
  };
}

const same = (api: FilterStore, expected: Readonly<Record<string, readonly string[]>>): true | undefined =>
  JSON.stringify(portsIn(api)) === JSON.stringify(expected) ? true : undefined;

const passes: readonly (readonly [
  what: string,
  before: readonly Parameters<typeof documentOf>[],
  after: readonly Parameters<typeof documentOf>[],
])[] = [
  ['to another EnvoyFilter that has been there', [[A, 6379], [B]], [[A], [B, 6379]]],
  ['to an older one from one that goes', [[A], [B, 6379]], [[A, 6379]]],
  ['to a new one from one that goes', [[A, 6379]], [[B, 6379]]],
  ['to the whole mesh', [[IN_SHOP, 6379]], [[OF_MESH, 6379]]],
  ['from the whole mesh', [[OF_MESH, 6379]], [[IN_SHOP, 6379]]],
  [
    'for another in exchange',
    [
      [A, 6379],
      [B, 6380],
    ],
    [
      [A, 6380],
      [B, 6379],
    ],
  ],
];

test('an address to listen on is never that of two', { concurrency: true }, async (t) => {
  const cases = passes.map(([what, before, after]) =>
    t.test(`where it passes ${what}`, async (t) => {
      const { api, want } = keepMesh(
        t,
        before.map((one) => documentOf(...one)),
      );
      const seen = (): string => JSON.stringify(portsIn(api));
      const ports = Object.fromEntries(before.map(([key, ...ports]) => [key, ports.map(String)]));
      await eventually('the first', () => same(api, ports), seen);
      // What gives it up fails at first, so that there is time to do the other.
      const once = new Set<string>();
      api.refuse = (what) => {
        const [method, key = ''] = what.split(' ');
        if (method === 'GET' || once.has(key) || !before.some(([first]) => first === key)) return undefined;
        once.add(key);
        return new ApiError(500, 'Test', 'a test');
      };
      const two = watchForTwo(api);
      want(...after.map((one) => documentOf(...one)));
      await eventually(
        'the last',
        () =>
          api.filters.size === after.length &&
          after.every(([key, ...ports]) => portsIn(api)[key]?.join() === ports.join())
            ? true
            : undefined,
        seen,
      );
      assert.deepEqual(two(), []);
    }),
  );
  await Promise.all(cases);
});

for (const status of [409, 500]) {
  test(`it waits for the one that gives it up, also where that is answered with ${status}`, async (t) => {
    const { api, want, outcome } = keepMesh(t, [documentOf(A, 6379)]);
    await eventually('the first', () => same(api, { [A]: ['6379'] }));
    let refused = 0;
    api.refuse = (what) => {
      if (what !== `DELETE ${A}`) return undefined;
      refused += 1;
      return new ApiError(status, 'Test', 'a test');
    };
    const two = watchForTwo(api);
    want(documentOf(B, 6379, 6380));
    // What is free already is not waited with.
    await eventually('what is free', () => (portsIn(api)[B]?.join() === '6380' ? true : undefined));
    const pending = await outcome((text) => text.includes('is still that of'));
    assert.match(pending, /EnvoyFilter redis\/b: 127\.0\.0\.1:6379 is still that of EnvoyFilter redis\/a/);
    await eventually('a second refusal', () => (refused >= 2 ? true : undefined));
    assert.deepEqual(portsIn(api), { [A]: ['6379'], [B]: ['6380'] });
    assert.equal(api.writes.filter((what) => what === `PATCH ${B}`).length, 1);
    api.refuse = () => undefined;
    await eventually('the last', () => same(api, { [B]: ['6379', '6380'] }));
    assert.deepEqual(two(), []);
  });
}
