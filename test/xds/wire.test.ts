import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decode, encode } from '../../src/envoy/codec.ts';
import { CLUSTER_TYPE, type Resource } from '../../src/envoy/resource.ts';
import { ResourceSet } from '../../src/envoy/resource-set.ts';
import { messageOf } from '../../src/xds/frames.ts';
import { InitialForm } from '../../src/xds/initial-form.ts';
import type { Response } from '../../src/xds/subscription.ts';
import { encodeResponse } from '../../src/xds/wire.ts';

const CLUSTER = 'envoy.config.cluster.v3.Cluster';

function cluster(name: string): Resource {
  const bytes = encode(CLUSTER, { name, wait_for_warm_on_init: { value: true } });
  const initialBytes = encode(CLUSTER, { name, wait_for_warm_on_init: { value: false } });
  return { typeUrl: CLUSTER_TYPE, name, version: `v-${name}`, bytes, initialBytes };
}

/** Long enough that its length takes three bytes. */
const LONG = 'x'.repeat(20_000);

function response(isInitial: boolean, resources: readonly Resource[]): Response {
  const content = { version: 'v7', resources, removed: ['c', 'd'] };
  const initialForm = isInitial ? InitialForm.of(ResourceSet.of(resources)) : undefined;
  return { typeUrl: CLUSTER_TYPE, nonce: '3', content, removed: content.removed, fresh: [], initialForm };
}

const resources = [cluster('a'), cluster(LONG)];

for (const isInitial of [false, true]) {
  const form = isInitial ? 'for a starting client' : 'as they are';
  const message = (name: string): object => ({
    '@type': CLUSTER_TYPE,
    name,
    wait_for_warm_on_init: { value: !isInitial },
  });

  test(`the codec reads what is put together for the state of the world, resources ${form}`, () => {
    const bytes = messageOf(encodeResponse('state of the world', response(isInitial, resources)));
    const {
      version_info,
      type_url,
      nonce,
      resources: anys,
    } = decode('envoy.service.discovery.v3.DiscoveryResponse', bytes);
    assert.deepEqual([version_info, type_url, nonce], ['v7', CLUSTER_TYPE, '3']);
    assert.deepEqual(anys, [message('a'), message(LONG)]);
  });

  test(`the codec reads what is put together for delta, resources ${form}`, () => {
    const bytes = messageOf(encodeResponse('delta', response(isInitial, resources)));
    const read = decode('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes);
    assert.deepEqual([read.system_version_info, read.type_url, read.nonce], ['v7', CLUSTER_TYPE, '3']);
    assert.deepEqual(read.removed_resources, ['c', 'd']);
    assert.deepEqual(read.resources, [
      { name: 'a', version: 'v-a', resource: message('a') },
      { name: LONG, version: `v-${LONG}`, resource: message(LONG) },
    ]);
  });
}
