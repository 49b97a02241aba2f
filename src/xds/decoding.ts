/**
 * Requests from bytes. What cannot be taken is a reason to end the stream, or, for a type that nobody serves, to say
 * nothing.
 */
import { decode } from '../envoy/codec.ts';
import type { DeltaDiscoveryRequest } from '../envoy/protos/envoy/service/discovery/v3/DeltaDiscoveryRequest.ts';
import type { DiscoveryRequest } from '../envoy/protos/envoy/service/discovery/v3/DiscoveryRequest.ts';
import { TYPE_URLS, type TypeUrl } from '../envoy/resource.ts';
import { nodeOf } from './node.ts';
import { TRUNCATED } from './rejection.ts';
import type { DeltaRequest, StreamKind, WorldRequest, XdsRequest } from './requests.ts';
import type { XdsNode } from './snapshot-source.ts';

export type Decoded =
  | { readonly kind: 'request'; readonly request: XdsRequest; readonly node: XdsNode | undefined }
  /** Well-formed, but of a type that is not served. */
  | { readonly kind: 'unknown type'; readonly typeUrl: string; readonly node: XdsNode | undefined }
  | { readonly kind: 'malformed'; readonly problem: string };

export function decodeRequest({ variant, only }: StreamKind, bytes: Uint8Array): Decoded {
  try {
    if (variant === 'delta') {
      const message =
        textsOf(bytes, DELTA_TEXTS) ?? decode('envoy.service.discovery.v3.DeltaDiscoveryRequest', bytes);
      return decoded(message, only, (typeUrl) => deltaRequest(typeUrl, message));
    }
    const message =
      textsOf(bytes, WORLD_TEXTS) ?? decode('envoy.service.discovery.v3.DiscoveryRequest', bytes);
    return decoded(message, only, (typeUrl) => worldRequest(typeUrl, message));
  } catch {
    return { kind: 'malformed', problem: `the bytes are not a request of the ${variant} variant` };
  }
}

/** All that an acknowledgement holds, by number. */
const DELTA_TEXTS: Readonly<Record<number, 'type_url' | 'response_nonce'>> = {
  2: 'type_url',
  6: 'response_nonce',
};
const WORLD_TEXTS: Readonly<Record<number, 'version_info' | 'type_url' | 'response_nonce'>> = {
  1: 'version_info',
  4: 'type_url',
  5: 'response_nonce',
};

/**
 * The message where it holds nothing but these, all of them short: half of all requests are acknowledgements, and the
 * codec makes ten times as much of them. undefined: the codec has to read it.
 */
function textsOf<Name extends string>(
  bytes: Uint8Array,
  fields: Readonly<Record<number, Name>>,
): { [name in Name]?: string } | undefined {
  const texts: { [name in Name]?: string } = {};
  for (let at = 0; at < bytes.length;) {
    const [tag = 0, length = LONG] = [bytes[at], bytes[at + 1]];
    const name = fields[tag >>> 3];
    const end = at + 2 + length;
    if (name === undefined || (tag & 7) !== DELIMITED || length >= LONG || end > bytes.length)
      return undefined;
    texts[name] = textIn(bytes, at + 2, end);
    at = end;
  }
  return texts;
}

const DELIMITED = 2;
/** From here on a length takes two bytes. */
const LONG = 0x80;

function textIn(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8', start, end);
}

function decoded(
  message: DiscoveryRequest | DeltaDiscoveryRequest,
  only: TypeUrl | undefined,
  requestOf: (typeUrl: TypeUrl) => XdsRequest,
): Decoded {
  const named = message.type_url === undefined || message.type_url === '' ? only : message.type_url;
  if (named === undefined)
    return { kind: 'malformed', problem: 'type_url is missing; an aggregated stream needs it' };
  if (only !== undefined && named !== only)
    return { kind: 'malformed', problem: `type_url is not that of the service; it has only ${only}` };
  const node = nodeOf(message.node);
  const typeUrl = TYPE_URLS.find((known) => known === named);
  if (typeUrl === undefined) return { kind: 'unknown type', typeUrl: named, node };
  return { kind: 'request', request: requestOf(typeUrl), node };
}

function worldRequest(typeUrl: TypeUrl, message: DiscoveryRequest): WorldRequest {
  return {
    variant: 'state of the world',
    ...reply(typeUrl, message),
    version: message.version_info ?? '',
    names: message.resource_names ?? [],
  };
}

function deltaRequest(typeUrl: TypeUrl, message: DeltaDiscoveryRequest): DeltaRequest {
  return {
    variant: 'delta',
    ...reply(typeUrl, message),
    subscribe: message.resource_names_subscribe ?? [],
    unsubscribe: message.resource_names_unsubscribe ?? [],
    known: knownBy(message),
  };
}

const NOTHING: ReadonlyMap<string, string> = new Map();

function knownBy({ initial_resource_versions: known }: DeltaDiscoveryRequest): ReadonlyMap<string, string> {
  return known === undefined ? NOTHING : new Map(Object.entries(known));
}

function reply(
  typeUrl: TypeUrl,
  { response_nonce: nonce = '', error_detail: error }: DiscoveryRequest | DeltaDiscoveryRequest,
): Pick<XdsRequest, 'typeUrl' | 'nonce' | 'error'> {
  return { typeUrl, nonce, error: error ? cutOff(error.message ?? '') : undefined };
}

/** Envoy's own limit is 4 KiB; the proxy has words for each resource. They are kept and logged, whoever speaks. */
const MOST_CHARACTERS = 64 * 1024;

function cutOff(message: string): string {
  return message.length <= MOST_CHARACTERS ? message : `${message.slice(0, MOST_CHARACTERS)}${TRUNCATED}`;
}
