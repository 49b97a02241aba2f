import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import type { ApiRequest } from '../../src/sources/kubernetes/api-server.ts';
import { Lease } from '../../src/status/lease.ts';

interface Stored {
  metadata: { resourceVersion: string };
  spec: { holderIdentity: string; leaseDurationSeconds: number; leaseTransitions: number };
}

/** The one Lease of an API server. */
class Store {
  lease: Stored | undefined;
  isAway = false;
  #version = 0;

  async request(_path: string, { method = 'GET', body }: ApiRequest = {}): Promise<unknown> {
    if (this.isAway) throw new ApiError(0, 'Unreachable', 'connection refused');
    if (method === 'GET') {
      if (this.lease === undefined) throw new ApiError(404, 'NotFound', 'not found');
      return structuredClone(this.lease);
    }
    const wanted = structuredClone(body) as Stored;
    const isCurrent = wanted.metadata.resourceVersion === this.lease?.metadata.resourceVersion;
    if (!isCurrent) throw new ApiError(409, 'Conflict', 'changed meanwhile');
    this.#version += 1;
    this.lease = { ...wanted, metadata: { ...wanted.metadata, resourceVersion: String(this.#version) } };
    return this.lease;
  }
}

function candidate(t: TestContext, api: Store, identity: string): Lease {
  const log = { info: () => {}, warn: () => {} };
  const lease = new Lease({
    api,
    namespace: 'redpilot',
    name: 'redpilot',
    identity,
    onChange: () => {},
    log,
  });
  lease.start();
  t.after(() => lease.close());
  return lease;
}

const held = (lease: Lease): Promise<true> =>
  eventually('the Lease', () => (lease.isHeld ? true : undefined), { deadlineMs: 30_000 });

// At once: each waits for a Lease to run out, or to be looked at again.
suite('a Lease', { concurrency: true }, () => {
  test('the first takes it, and the second waits', async (t) => {
    const api = new Store();
    const first = candidate(t, api, 'a');
    await held(first);
    const second = candidate(t, api, 'b');
    await eventually('a renewal', () => (api.lease?.metadata.resourceVersion === '2' ? true : undefined));
    assert.deepEqual([first.isHeld, second.isHeld], [true, false]);
  });

  test('one that is given up is taken at once', async (t) => {
    const api = new Store();
    const first = candidate(t, api, 'a');
    await held(first);
    const second = candidate(t, api, 'b');
    await first.close();
    const began = performance.now();
    await held(second);
    assert.ok(performance.now() - began < 10_000);
    assert.deepEqual(api.lease?.spec, { ...api.lease?.spec, holderIdentity: 'b', leaseTransitions: 1 });
  });

  test('whoever can not renew stops before another may start', async (t) => {
    const api = new Store();
    const first = candidate(t, api, 'a');
    await held(first);
    api.isAway = true;
    // So long the Lease is that of the first for others.
    await eventually('it counts as lost', () => (first.isHeld ? undefined : true), { deadlineMs: 15_000 });
  });

  test('one whose holder is gone is taken once it has run out, whatever its times say', async (t) => {
    const api = new Store();
    api.lease = {
      metadata: { resourceVersion: '0' },
      spec: { holderIdentity: 'gone', leaseDurationSeconds: 3, leaseTransitions: 4 },
    };
    const began = performance.now();
    const lease = candidate(t, api, 'a');
    await held(lease);
    assert.ok(performance.now() - began >= 3_000);
    assert.equal(api.lease.spec.leaseTransitions, 5);
  });
});
