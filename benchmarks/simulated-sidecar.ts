/**
 * An xDS client that behaves as an Envoy does: asks for clusters, then for listeners, and takes what comes. It keeps the
 * listeners only.
 */
import { Client, credentials, type ClientDuplexStream } from '@grpc/grpc-js';

import { encode } from '../src/envoy/codec.ts';
import { DRAIN } from '../src/envoy/node-view.ts';
import { CLUSTER_TYPE, LISTENER_TYPE } from '../src/envoy/resource.ts';
import type { Variant } from '../src/xds/requests.ts';
import { fieldsOf } from '../test/xds/protobuf-fields.ts';

const NONE = Buffer.alloc(0);
const same = (bytes: Buffer): Buffer => bytes;

export class SimulatedSidecar {
  /** By name, as bytes. */
  readonly listeners = new Map<string, Buffer>();
  readonly variant: Variant;
  /** Of the newest response with listeners. */
  heardAt = 0;
  /** How the stream ended, where it did so without `leave`. */
  failure: string | undefined;
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  #hasLeft = false;

  constructor(options: {
    readonly address: string;
    readonly variant: Variant;
    readonly nodeId: string;
    readonly drainSeconds: number;
  }) {
    const { address, variant, nodeId, drainSeconds } = options;
    this.variant = variant;
    // A connection of its own, as every Envoy has one.
    this.#client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    const method = variant === 'delta' ? 'DeltaAggregatedResources' : 'StreamAggregatedResources';
    const path = `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`;
    this.#call = this.#client.makeBidiStreamRequest(path, same, same);
    this.#call.on('error', (error) => {
      if (!this.#hasLeft) this.failure = error.message;
    });
    this.#call.on('data', (bytes: Buffer) => this.#take(bytes));
    const metadata = { fields: { [DRAIN]: { numberValue: drainSeconds } } };
    const node = { id: nodeId, cluster: 'soak', metadata };
    this.#send({ type_url: CLUSTER_TYPE, node });
    this.#send({ type_url: LISTENER_TYPE });
  }

  leave(): void {
    this.#hasLeft = true;
    this.#call.cancel();
    this.#client.close();
  }

  #send(fields: object): void {
    const name = this.variant === 'delta' ? 'DeltaDiscoveryRequest' : 'DiscoveryRequest';
    this.#call.write(encode(`envoy.service.discovery.v3.${name}` as const, fields));
  }

  #take(bytes: Buffer): void {
    const fields = fieldsOf(bytes);
    const text = (number: number): string => String(fields.get(number)?.[0] ?? '');
    const type = text(4);
    if (type === LISTENER_TYPE) {
      this.#keep(fields.get(2) ?? [], (fields.get(6) ?? []).map(String));
      this.heardAt = Date.now();
    }
    const version = this.variant === 'delta' ? {} : { version_info: text(1) };
    this.#send({ type_url: type, response_nonce: text(5), ...version });
  }

  #keep(resources: readonly Buffer[], removed: readonly string[]): void {
    if (this.variant !== 'delta') this.listeners.clear();
    for (const resource of resources) {
      const any = this.variant === 'delta' ? fieldsOf(resource).get(2)?.[0] : resource;
      const listener = Buffer.from(fieldsOf(any ?? NONE).get(2)?.[0] ?? NONE);
      this.listeners.set(nameOf(listener), listener);
    }
    for (const name of removed) this.listeners.delete(name);
  }
}

/** Field 1, which comes first; a name is shorter than 128 bytes here. */
function nameOf(listener: Buffer): string {
  return listener.subarray(2, 2 + (listener[1] ?? 0)).toString();
}
