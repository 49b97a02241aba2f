/**
 * The resources of one type, as a server sends them to a client that accepts (or refuses) everything.
 */
import { CLUSTER_TYPE, ENDPOINTS_TYPE, type TypeUrl } from '../envoy/resource.ts';
import type { Received, XdsClient } from './client.ts';

export interface GetOptions {
  /** None: all of them. */
  readonly names: readonly string[];
  /** Refuses each response with these words. */
  readonly refusal: string | undefined;
  /** Goes on after the first response. */
  readonly watch: boolean;
}

/** Each response, when it has been answered. */
export async function* getResources(
  client: XdsClient,
  type: TypeUrl,
  { names, refusal, watch }: GetOptions,
): AsyncGenerator<Received> {
  const responses = client.responses();
  let wanted = names;
  if (type === ENDPOINTS_TYPE && names.length === 0) {
    // There is no wildcard for endpoints: whose there are, the clusters say.
    client.subscribe(CLUSTER_TYPE, []);
    const { value: clusters, done } = await responses.next();
    if (done === true) return;
    client.answer([], clusters);
    wanted = namesOfEndpoints(clusters);
    if (wanted.length === 0) {
      client.close();
      yield { typeUrl: type, version: '', nonce: '', resources: [], removed: [] };
      return;
    }
  }
  client.subscribe(type, wanted);
  let isFirst = true;
  for await (const response of responses) {
    if (response.typeUrl !== type) client.answer([], response);
    if (response.typeUrl !== type || (!isFirst && !watch)) continue;
    isFirst = false;
    client.answer(wanted, response, refusal);
    yield response;
    if (!watch) client.finish();
  }
}

function namesOfEndpoints({ resources }: Received): readonly string[] {
  return resources.filter(({ resource }) => resource['type'] === 'EDS').map(({ name }) => name);
}
