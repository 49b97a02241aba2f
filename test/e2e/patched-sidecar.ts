/**
 * A sidecar as Istio makes it of EnvoyFilters, without an istiod: a real Envoy with the listener that istiod has for a
 * Service's address, to which our patches are applied by istiod's rules. What a real istiod makes of them is recorded
 * (test/istio); this one carries commands.
 */
import assert from 'node:assert/strict';

import { parseAllDocuments } from 'yaml';

import type { ApiObject } from '../../src/api/objects.ts';
import { parseObject } from '../../src/api/parse.ts';
import { translateToIstio } from '../../src/commands/translate-istio.ts';
import { startEnvoy, type EnvoyProcess } from '../../src/demo/envoy-process.ts';
import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import { ISTIOS_CLUSTER, patched, tcpListener } from './patched-listener.ts';
import { withoutDns, type Ending } from './sidecar.ts';

/** The governed Service's, so that a client connects to it as without a mesh; others have another. */
const GOVERNED = '127.0.0.1';
const OTHER = '127.77.0.1';

/** Of the first host of the RedisService in `texts`, on that port of 127.0.0.1. Stopped when the test ends. */
export async function startPatchedSidecar(
  t: Ending,
  options: { readonly envoy: string; readonly texts: readonly string[]; readonly port: number },
): Promise<EnvoyProcess> {
  const { envoy: binary, texts, port } = options;
  const objects = withAddresses(texts.flatMap(objectsOf));
  const { bodies, diagnostics } = translateToIstio(objects, {}, { write: (secret) => secret.reveal() });
  const wrong = diagnostics.filter(({ severity }) => severity === 'error').map(formatDiagnosticLine);
  assert.deepEqual(wrong, []);
  const resources = patched({ clusters: [], listeners: [tcpListener(GOVERNED, port)] }, bodies);
  const envoy = await startEnvoy({
    binary,
    configuration: (path) => ({
      admin: { address: { pipe: { path } } },
      ...withoutDns(),
      static_resources: { ...resources, clusters: [...resources.clusters, ISTIOS_CLUSTER] },
    }),
  });
  t.after(() => envoy.stop());
  return envoy;
}

function objectsOf(text: string): readonly ApiObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const outcome = parseObject(document.toJS(), () => undefined);
    return outcome.kind === 'object' ? [outcome.object] : [];
  });
}

/** The addresses that an API server would give, and the leave to write passwords of Secrets. */
function withAddresses(objects: readonly ApiObject[]): readonly ApiObject[] {
  const [governed = ''] = objects.flatMap((object) => (object.kind === 'RedisService' ? object.hosts : []));
  return objects.map((object) => {
    if (object.kind === 'Service') {
      const isGoverned = governed.startsWith(`${object.name}.${object.namespace}.`);
      return { ...object, clusterIps: [isGoverned ? GOVERNED : OTHER] };
    }
    if (object.kind !== 'RedisService') return object;
    return { ...object, annotations: { ...object.annotations, istioSecrets: 'inline' as const } };
  });
}
