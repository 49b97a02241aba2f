/**
 * The resources of one type, as a server sends them to a client that accepts (or refuses) everything.
 */
import { decode, type MessageName } from '../envoy/codec.ts';
import { toJson } from '../envoy/json.ts';
import { CLUSTER_TYPE, ENDPOINTS_TYPE, type TypeUrl } from '../envoy/resource.ts';
import { ClientSubscription } from './client-subscription.ts';
import type { XdsClient } from './client.ts';
import type { Received, ReceivedResource } from './received.ts';

export interface GetOptions {
  /** None: all of them. */
  readonly names: readonly string[];
  /** Refuses each response with these words. */
  readonly refusal: string | undefined;
  /** Goes on after the first response. */
  readonly watch: boolean;
}

/** A response for people. */
export interface ShownResponse {
  readonly version: string;
  readonly resources: readonly ShownResource[];
  readonly removed: readonly string[];
}

export interface ShownResource extends Pick<ReceivedResource, 'name' | 'version'> {
  /** As proto3 JSON, with all its secrets. */
  readonly resource: Readonly<Record<string, unknown>>;
}

/** Each response, when it has been answered. */
export async function* getResources(
  client: XdsClient,
  type: TypeUrl,
  { names, refusal, watch }: GetOptions,
): AsyncGenerator<ShownResponse> {
  const { variant } = client;
  const responses = client.responses();
  let wanted = names;
  if (type === ENDPOINTS_TYPE && names.length === 0) {
    // There is no wildcard for endpoints: whose there are, the clusters say.
    const clustersWanted = new ClientSubscription(CLUSTER_TYPE, variant);
    client.send(clustersWanted.start([]));
    const { value: clusters, done } = await responses.next();
    if (done === true) return;
    client.send(clustersWanted.answer(clusters));
    wanted = namesOfEndpoints(clusters);
    if (wanted.length === 0) {
      client.close();
      yield { version: '', resources: [], removed: [] };
      return;
    }
  }
  const subscription = new ClientSubscription(type, variant);
  client.send(subscription.start(wanted));
  let isFirst = true;
  for await (const response of responses) {
    if (response.typeUrl !== type || (!isFirst && !watch)) continue;
    isFirst = false;
    client.send(subscription.answer(response, refusal));
    yield shown(response);
    if (!watch) client.finish();
  }
}

function shown({ version, resources, removed }: Received): ShownResponse {
  return { version, resources: resources.map(shownResource), removed };
}

function shownResource({ name, version, typeUrl, bytes }: ReceivedResource): ShownResource {
  // One of the types that can be asked for.
  const message = typeUrl.replace(/^type\.googleapis\.com\//, '') as MessageName;
  return { name, version, resource: { '@type': typeUrl, ...toJson(message, decode(message, bytes)) } };
}

function namesOfEndpoints(clusters: Received): readonly string[] {
  return shown(clusters)
    .resources.filter(({ resource }) => resource['type'] === 'EDS')
    .map(({ name }) => name);
}
