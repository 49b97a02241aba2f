/** What a control plane serves to an Envoy, without one. */
import assert from 'node:assert/strict';

import type { TypeUrl } from '../../src/envoy/resource.ts';
import type { Variant } from '../../src/xds/requests.ts';
import type { ShownResource } from '../../src/xds/get-resources.ts';
import { getResources, XdsClient } from '../../src/xds/index.ts';

const LIMIT_MS = 60_000;

/** All resources of a type that an Envoy of that namespace gets; with a version each in delta only. */
export async function resourcesFor(
  xdsAddress: string,
  namespace: string,
  type: TypeUrl,
  variant: Variant = 'state of the world',
): Promise<readonly ShownResource[]> {
  const client = new XdsClient({
    address: { host: '127.0.0.1', port: Number(xdsAddress.split(':')[1]) },
    tls: undefined,
    variant,
    node: { id: `of-${namespace}`, namespace },
  });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    client.close();
  }, LIMIT_MS);
  try {
    for await (const { resources } of getResources(client, type, {
      names: [],
      refusal: undefined,
      watch: false,
    }))
      return resources;
    // Not the same as that there are none.
    assert.ok(!isLate, `${xdsAddress} served nothing within ${LIMIT_MS} ms`);
    return [];
  } finally {
    clearTimeout(limit);
    client.close();
  }
}
