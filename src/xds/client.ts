/**
 * A small xDS client: one aggregated stream, for people who want to see what the server says.
 */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';

import { type ChannelCredentials, Client, type ClientDuplexStream, credentials, status } from '@grpc/grpc-js';

import { decode, encode } from '../envoy/codec.ts';
import { toJson } from '../envoy/json.ts';
import { NAMESPACE } from '../envoy/node-view.ts';
import type { TypeUrl } from '../envoy/resource.ts';
import type { Certificates } from '../tls/certificate-files.ts';
import { formatAddress, type HostAndPort } from './listen-address.ts';
import type { Variant } from './requests.ts';

export interface XdsClientOptions {
  readonly address: HostAndPort;
  /** undefined: in the clear. */
  readonly tls: Certificates | undefined;
  readonly variant: Variant;
  readonly node: { readonly id: string; readonly namespace: string | undefined };
}

export interface ReceivedResource {
  readonly name: string;
  /** undefined in the state of the world, where only responses have versions. */
  readonly version: string | undefined;
  /** As proto3 JSON, with all its secrets. */
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface Received {
  readonly typeUrl: string;
  readonly version: string;
  readonly nonce: string;
  readonly resources: readonly ReceivedResource[];
  readonly removed: readonly string[];
}

const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

const TLS_HINT = 'if it is served with TLS, give --tls-ca, --tls-cert and --tls-key';

const same = (bytes: Buffer): Buffer => bytes;

export class XdsClient {
  readonly #options: XdsClientOptions;
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  #isFirst = true;
  #isClosed = false;

  constructor(options: XdsClientOptions) {
    this.#options = options;
    const { address, tls, variant } = options;
    this.#client = new Client(formatAddress(address), channel(address.host, tls), {
      // A TLS server name can't be an address (RFC 6066); which one the certificate must have is checked all the same.
      ...(tls !== undefined && isIP(address.host) !== 0
        ? { 'grpc.ssl_target_name_override': 'localhost' }
        : {}),
      'grpc.max_receive_message_length': -1,
    });
    const name = variant === 'delta' ? 'DeltaAggregatedResources' : 'StreamAggregatedResources';
    this.#call = this.#client.makeBidiStreamRequest(`${METHOD}/${name}`, same, same);
    // The iteration over the responses tells of it.
    this.#call.on('error', () => {});
  }

  /** Everything of the type where no names are given (endpoints: nothing). */
  subscribe(typeUrl: TypeUrl, names: readonly string[]): void {
    this.#send(typeUrl, { resource_names: names, resource_names_subscribe: names });
  }

  /** `refusal`: why the response is not accepted. */
  answer(names: readonly string[], { typeUrl, nonce, version }: Received, refusal?: string): void {
    const error = refusal === undefined ? {} : { error_detail: { code: status.INTERNAL, message: refusal } };
    const accepted = refusal === undefined ? { version_info: version } : {};
    this.#send(typeUrl, { resource_names: names, response_nonce: nonce, ...accepted, ...error });
  }

  /** Ends with the stream; fails with one line where the server refuses it. */
  async *responses(): AsyncGenerator<Received> {
    const place = `xDS at ${formatAddress(this.#options.address)}`;
    try {
      for await (const bytes of this.#call) yield this.#received(bytes as Buffer);
    } catch (error) {
      if (this.#isClosed) return;
      const hint = this.#options.tls === undefined && isUnavailable(error) ? `; ${TLS_HINT}` : '';
      throw new Error(`${place}: ${reasonOf(error)}${hint}`, { cause: error });
    } finally {
      this.close();
    }
  }

  /** Says no more; the server takes what was said and ends the stream. */
  finish(): void {
    this.#call.end();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#call.cancel();
    this.#client.close();
  }

  #send(typeUrl: string, fields: object): void {
    const request = { type_url: typeUrl, ...(this.#isFirst ? { node: this.#node() } : {}), ...fields };
    this.#isFirst = false;
    const isDelta = this.#options.variant === 'delta';
    const name = isDelta ? 'DeltaDiscoveryRequest' : 'DiscoveryRequest';
    this.#call.write(encode(`envoy.service.discovery.v3.${name}`, request));
  }

  #node(): object {
    const { id, namespace } = this.#options.node;
    const fields = namespace === undefined ? {} : { [NAMESPACE]: { stringValue: namespace } };
    return { id, cluster: 'redpilot', metadata: { fields } };
  }

  #received(bytes: Buffer): Received {
    if (this.#options.variant === 'delta') {
      const message = decode('envoy.service.discovery.v3.DeltaDiscoveryResponse', bytes);
      const json = toJson('envoy.service.discovery.v3.DeltaDiscoveryResponse', message) as DeltaResponse;
      return {
        typeUrl: message.type_url ?? '',
        version: json.system_version_info ?? '',
        nonce: json.nonce ?? '',
        resources: (json.resources ?? []).map(({ name, version, resource }) => ({ name, version, resource })),
        removed: json.removed_resources ?? [],
      };
    }
    const message = decode('envoy.service.discovery.v3.DiscoveryResponse', bytes);
    const json = toJson('envoy.service.discovery.v3.DiscoveryResponse', message) as WorldResponse;
    return {
      typeUrl: message.type_url ?? '',
      version: json.version_info ?? '',
      nonce: json.nonce ?? '',
      resources: (json.resources ?? []).map((resource) => ({
        name: String(resource['name'] ?? resource['cluster_name']),
        version: undefined,
        resource,
      })),
      removed: [],
    };
  }
}

interface DeltaResponse {
  readonly system_version_info?: string;
  readonly nonce?: string;
  readonly resources?: readonly ReceivedResource[];
  readonly removed_resources?: readonly string[];
}

interface WorldResponse {
  readonly version_info?: string;
  readonly nonce?: string;
  readonly resources?: readonly Readonly<Record<string, unknown>>[];
}

function channel(host: string, tls: Certificates | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createSsl(tls.ca, tls.key, tls.cert, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  });
}

function isUnavailable(error: unknown): boolean {
  const { code, details = '' } = error as { readonly code?: number; readonly details?: string };
  return code === status.UNAVAILABLE && !details.includes('ECONNREFUSED');
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, details } = error as { readonly code?: number; readonly details?: string };
  if (code === undefined || details === undefined) return error.message;
  const [first = ''] = details.replace(/ ?Resolution note: $/, '').split('\n');
  return `${status[code] ?? code}: ${first}`;
}
