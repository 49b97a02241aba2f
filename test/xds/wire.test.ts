import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decode, encode } from '../../src/envoy/codec.ts';
import { CLUSTER_TYPE, type Resource } from '../../src/envoy/resource.ts';
import { messageOf } from '../../src/xds/frames.ts';
import type { Difference } from '../../src/xds/served.ts';
import { NO_INITIAL_FORM, type InitialForm } from '../../src/xds/initial-form.ts';
import type { Response } from '../../src/xds/subscription.ts';
import { encodeResponse } from '../../src/xds/wire.ts';

const CLUSTER = 'envoy.config.cluster.v3.Cluster';

function cluster(name: string, version = `v-${name}`): Resource {
  const bytes = encode(CLUSTER, { name, wait_for_warm_on_init: { value: true } });
  const initialBytes = encode(CLUSTER, { name, wait_for_warm_on_init: { value: false } });
  return { typeUrl: CLUSTER_TYPE, name, version, bytes, initialBytes };
}

/** Of a client that has just been sent these as its first. */
function formOf(resources: readonly Resource[]): InitialForm {
  return NO_INITIAL_FORM.after({ fresh: resources, removed: [] }, () => false);
}

/** Long enough that its length takes three bytes. */
const LONG = 'x'.repeat(20_000);

function response(isInitial: boolean, resources: readonly Resource[]): Response {
  const content = { version: 'v7', resources, removed: ['c', 'd'] };
  const initialForm = isInitial ? formOf(resources) : NO_INITIAL_FORM;
  return {
    typeUrl: CLUSTER_TYPE,
    nonce: '3',
    content,
    removed: content.removed,
    fresh: [],
    retried: [],
    initialForm,
  };
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
    // What has that form is said behind the version, a bit for each.
    assert.deepEqual([version_info, type_url, nonce], [isInitial ? 'v7.Aw' : 'v7', CLUSTER_TYPE, '3']);
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

function changed(to: readonly Resource[], fresh: readonly Resource[]): Difference {
  return { content: { version: 'v8', resources: to, removed: [] }, removed: [], fresh, retried: [] };
}

test('clients that started with different sets are sent the same bytes once they hold the same', () => {
  const [a, b1, b2, b3] = [cluster('a'), cluster('b', '1'), cluster('b', '2'), cluster('b', '3')];
  const difference = changed([a, b3], [b3]);
  const frames = [b1, b2].map((b) => {
    const initialForm = formOf([a, b]).after(difference, () => true);
    assert.ok(initialForm.has(a), 'that of a is repeated');
    assert.ok(!initialForm.has(b3), 'b is another');
    return encodeResponse('state of the world', {
      ...difference,
      typeUrl: CLUSTER_TYPE,
      nonce: '2',
      initialForm,
    });
  });
  assert.equal(frames[0]?.[0], frames[1]?.[0]);
});

test('a client that started with nothing of what there is now is sent what all others are', () => {
  const [before, after] = [cluster('a', '1'), cluster('a', '2')];
  assert.equal(
    formOf([before]).after(changed([after], [after]), () => true),
    NO_INITIAL_FORM,
  );
});

test('what comes later comes in that form too, and in the same bytes whatever else a client has in it', () => {
  const [a, b, c] = [cluster('a'), cluster('b'), cluster('c')];
  const difference = changed([c], [c]);
  const frames = [formOf([a]), formOf([a, b]), NO_INITIAL_FORM].map((before) => {
    const after = before.after(difference, (name) => name !== 'c');
    assert.equal(after.has(a), before.has(a));
    const initialForm = after.within(difference.content);
    assert.ok(initialForm.has(c));
    return encodeResponse('delta', { ...difference, typeUrl: CLUSTER_TYPE, nonce: '2', initialForm });
  });
  assert.equal(new Set(frames.map((frame) => frame[0])).size, 1);
});
