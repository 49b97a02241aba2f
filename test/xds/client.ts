/**
 * A real gRPC client for the xDS server, which speaks in decoded messages and takes each wait with a deadline.
 */
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  type StatusObject,
} from '@grpc/grpc-js';

import { encode } from '../../src/envoy/codec.ts';
import type { Variant } from '../../src/xds/requests.ts';
import { fieldsOf } from './protobuf-fields.ts';
import { type ShortType, typeOf } from './talk.ts';

const DEADLINE_MS = 30_000;

const METHODS: Readonly<Record<ShortType | 'all', readonly [service: string, what: string]>> = {
  all: ['discovery.v3.AggregatedDiscoveryService', 'AggregatedResources'],
  CDS: ['cluster.v3.ClusterDiscoveryService', 'Clusters'],
  EDS: ['endpoint.v3.EndpointDiscoveryService', 'Endpoints'],
  LDS: ['listener.v3.ListenerDiscoveryService', 'Listeners'],
};

/** grpc-js has clients of one address share a connection. */
const OWN_CONNECTION = {
  'grpc.max_receive_message_length': -1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
};

const same = (bytes: Buffer): Buffer => bytes;

export interface Message {
  readonly typeUrl: string;
  readonly nonce: string;
  /** `a=bytes of a`, without the type of the Any. */
  readonly resources: readonly string[];
  readonly removed: readonly string[];
  readonly version: string;
}

export class TestStream {
  readonly #variant: Variant;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #messages: Message[] = [];
  /** Messages so far. */
  received = 0;
  #status: StatusObject | undefined;
  #wake: () => void = () => {};

  constructor(variant: Variant, call: ClientDuplexStream<Buffer, Buffer>) {
    this.#variant = variant;
    this.#call = call;
    // The status says it as well.
    call.on('error', () => {});
    call.on('status', (status) => {
      this.#status = status;
      this.#wake();
    });
    call.on('data', (bytes: Buffer) => {
      this.received += 1;
      this.#messages.push(messageOf(this.#variant, bytes));
      this.#wake();
    });
  }

  /**
   * Takes nothing from the connection any more, once its own buffer of 16 messages is full. Only after a first message:
   * until then grpc-js 1.14 reads on without limit.
   */
  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  send(type: ShortType, fields: object = {}): void {
    this.sendFields({ type_url: typeOf(type), ...fields });
  }

  sendFields(fields: object): void {
    const name = this.#variant === 'delta' ? 'DeltaDiscoveryRequest' : 'DiscoveryRequest';
    this.sendBytes(encode(`envoy.service.discovery.v3.${name}` as const, fields));
  }

  sendBytes(bytes: Buffer): void {
    this.#call.write(bytes);
  }

  ack(message: Message, fields: object = {}): void {
    this.sendFields({
      type_url: message.typeUrl,
      response_nonce: message.nonce,
      ...(this.#variant === 'delta' ? {} : { version_info: message.version }),
      ...fields,
    });
  }

  /** Arrived and not taken yet. */
  get waiting(): number {
    return this.#messages.length;
  }

  async next(): Promise<Message> {
    await this.#until(() => this.#messages.length > 0, 'a message');
    const message = this.#messages.shift();
    if (message === undefined) throw new Error('no message, though one was there');
    return message;
  }

  async status(): Promise<StatusObject> {
    await this.#until(() => this.#status !== undefined, 'the end of the stream');
    if (this.#status === undefined) throw new Error('no status, though one was there');
    return this.#status;
  }

  end(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  async #until(isTrue: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    const timer = setTimeout(() => this.#wake(), DEADLINE_MS + 1);
    while (!isTrue() && performance.now() < deadline) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
    if (isTrue()) return;
    throw new Error(
      `${what} did not come within ${DEADLINE_MS} ms; last seen: ${JSON.stringify(this.#status)}`,
    );
  }
}

export class TestClient {
  readonly #client: Client;

  /** TLS knows no server names that are addresses. */
  constructor(address: string, tls?: ChannelCredentials) {
    this.#client =
      tls === undefined
        ? new Client(address, credentials.createInsecure(), OWN_CONNECTION)
        : new Client(address.replace('127.0.0.1', 'localhost'), tls, OWN_CONNECTION);
  }

  /** An aggregated stream, or one of a service that has only that type. */
  stream(variant: Variant, only?: ShortType): TestStream {
    const [service, what] = METHODS[only ?? 'all'];
    return this.otherMethod(variant, `${service}/${variant === 'delta' ? 'Delta' : 'Stream'}${what}`);
  }

  /** `discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources` */
  otherMethod(variant: Variant, method: string): TestStream {
    return new TestStream(variant, this.#call(method));
  }

  close(): void {
    this.#client.close();
  }

  #call(method: string): ClientDuplexStream<Buffer, Buffer> {
    return this.#client.makeBidiStreamRequest(`/envoy.service.${method}`, same, same);
  }
}

/** Read field by field: the resources of these tests are no messages that a codec could decode. */
function messageOf(variant: Variant, bytes: Buffer): Message {
  const fields = fieldsOf(bytes);
  const text = (number: number): string => (fields.get(number)?.[0] ?? '').toString();
  return {
    version: text(1),
    typeUrl: text(4),
    nonce: text(5),
    resources: (fields.get(2) ?? []).map((resource) => {
      if (variant !== 'delta') return contentOfAny(resource);
      const [[any], [name]] = [fieldsOf(resource).get(2) ?? [], fieldsOf(resource).get(3) ?? []];
      return `${name?.toString()}=${contentOfAny(any)}`;
    }),
    removed: (fields.get(6) ?? []).map(String),
  };
}

function contentOfAny(any: Buffer | undefined): string {
  return String(fieldsOf(any ?? Buffer.alloc(0)).get(2)?.[0]);
}
