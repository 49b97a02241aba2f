/**
 * One type on one stream, as the client sees it: what it has to say to subscribe, to change its mind and to answer.
 */
import { status } from '@grpc/grpc-js';

import type { DeltaDiscoveryRequest } from '../envoy/protos/envoy/service/discovery/v3/DeltaDiscoveryRequest.ts';
import type { DiscoveryRequest } from '../envoy/protos/envoy/service/discovery/v3/DiscoveryRequest.ts';
import type { TypeUrl } from '../envoy/resource.ts';
import type { Received } from './received.ts';
import type { Variant } from './requests.ts';

/** What the client has accepted on earlier streams. */
export interface Held {
  /** Of the last response, in the state of the world. */
  readonly version: string;
  /** By name. */
  readonly versions: ReadonlyMap<string, string>;
}

export type ClientRequest = DeltaDiscoveryRequest | DiscoveryRequest;

const NOTHING: Held = { version: '', versions: new Map() };

export class ClientSubscription {
  readonly typeUrl: TypeUrl;
  readonly #variant: Variant;
  #names: ReadonlySet<string> = new Set();
  #version = '';
  #nonce = '';

  constructor(typeUrl: TypeUrl, variant: Variant) {
    this.typeUrl = typeUrl;
    this.#variant = variant;
  }

  /** Everything of the type where no names are given (endpoints: nothing). */
  start(names: Iterable<string>, held: Held = NOTHING): ClientRequest {
    this.#names = new Set(names);
    this.#version = held.version;
    if (this.#variant === 'state of the world') return this.#world(this.#version);
    return {
      type_url: this.typeUrl,
      resource_names_subscribe: [...this.#names],
      initial_resource_versions: Object.fromEntries(held.versions),
    };
  }

  /** Other names than before; undefined: they are the same. */
  want(names: ReadonlySet<string>): ClientRequest | undefined {
    const before = this.#names;
    const added = [...names].filter((name) => !before.has(name));
    const dropped = [...before].filter((name) => !names.has(name));
    if (added.length + dropped.length === 0) return undefined;
    this.#names = new Set(names);
    if (this.#variant === 'state of the world') return this.#world(this.#version);
    return {
      type_url: this.typeUrl,
      resource_names_subscribe: added,
      resource_names_unsubscribe: dropped,
    };
  }

  /** `refusal`: why the response is not accepted. */
  answer({ nonce, version }: Received, refusal?: string): ClientRequest {
    this.#nonce = nonce;
    if (refusal === undefined) this.#version = version;
    const error = refusal === undefined ? {} : { error_detail: { code: status.INTERNAL, message: refusal } };
    if (this.#variant === 'state of the world') return { ...this.#world(this.#version), ...error };
    return { type_url: this.typeUrl, response_nonce: nonce, ...error };
  }

  #world(version: string): DiscoveryRequest {
    const names = { resource_names: [...this.#names] };
    return { type_url: this.typeUrl, ...names, response_nonce: this.#nonce, version_info: version };
  }
}
