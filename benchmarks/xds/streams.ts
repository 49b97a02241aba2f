/**
 * A process of many clients, a connection and an aggregated stream each, as Envoy has: clusters first, then listeners.
 * Started by the benchmark, which it tells when which stream had what.
 */
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';

import type { Variant } from '../../src/xds/requests.ts';
import { type Frame, FrameReader, requestFrame } from './frames.ts';

const TYPES = {
  CDS: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  EDS: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  LDS: 'type.googleapis.com/envoy.config.listener.v3.Listener',
} as const;

export type Short = keyof typeof TYPES;

export interface ConnectOrder {
  readonly do: 'connect';
  readonly address: string;
  readonly streams: number;
  readonly variant: Variant;
  /** Clusters whose endpoints are subscribed to. */
  readonly endpoints: readonly string[];
  /** So many of them read nothing more once they are in step. */
  readonly slow: number;
}

/** Say when each stream has had so many resources of the type from now on. */
export interface WaitOrder {
  readonly do: 'wait';
  readonly type: Short;
  readonly resources: number;
}

export type Order = ConnectOrder | WaitOrder;

export interface Report {
  /** Of each stream, in nanoseconds of the machine's clock; none for 'waiting'. */
  readonly times: readonly number[];
  readonly bytes: number;
  readonly what: 'connected' | 'waiting' | 'had';
}

/** Envoy's windows are as large as its configuration allows; these hold the first response. */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** A slow client keeps to what the protocol begins with. */
const SLOW_WINDOW_BYTES = 65_535;
const AT_ONCE = 64;

class Stream {
  readonly #variant: Variant;
  readonly #session: ClientHttp2Session;
  readonly #call: ClientHttp2Stream;
  readonly #counts = new Map<string, number>();
  #onFrame: (type: string, resources: number) => void = () => {};
  readonly #endpoints: readonly string[];
  bytes = 0;

  constructor({ address, variant, endpoints }: ConnectOrder, id: string, isSlow: boolean) {
    this.#variant = variant;
    this.#endpoints = endpoints;
    const window = isSlow ? SLOW_WINDOW_BYTES : WINDOW_BYTES;
    this.#session = connect(`http://${address}`, { settings: { initialWindowSize: window } });
    this.#session.once('connect', () => {
      if (!isSlow) this.#session.setLocalWindowSize(WINDOW_BYTES);
    });
    const method = variant === 'delta' ? 'DeltaAggregatedResources' : 'StreamAggregatedResources';
    this.#call = this.#session.request({
      ':method': 'POST',
      ':path': `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const reader = new FrameReader((frame) => this.#take(frame));
    this.#call.on('data', (chunk: Buffer) => reader.read(chunk));
    this.#call.on('error', (error) => process.stderr.write(`${String(error)}\n`));
    this.ask('CDS', [], id);
  }

  /** Everything, or these names. */
  ask(type: Short, names: readonly string[], id?: string): void {
    const [nodeField, typeField, namesField] = this.#variant === 'delta' ? [1, 2, 3] : [2, 4, 3];
    const node = id === undefined ? [] : ([[nodeField, requestFrame([[1, id]]).subarray(5)]] as const);
    this.#call.write(
      requestFrame([
        ...node,
        [typeField, TYPES[type]],
        ...names.map((name): [number, string] => [namesField, name]),
      ]),
    );
  }

  async had(type: Short, resources: number): Promise<number> {
    this.#counts.set(TYPES[type], 0);
    let sum = 0;
    return await new Promise((resolve) => {
      this.#onFrame = (typeUrl, count) => {
        if (typeUrl !== TYPES[type]) return;
        sum += count;
        if (sum >= resources) resolve(Number(process.hrtime.bigint()));
      };
    });
  }

  /** In the state of the world each request lists all that is wanted. */
  #namesOf(typeUrl: string): readonly [number, string][] {
    return typeUrl === TYPES.EDS ? this.#endpoints.map((name) => [3, name]) : [];
  }

  pause(): void {
    this.#call.pause();
  }

  #take({ typeUrl, version, nonce, resources, bytes }: Frame): void {
    this.bytes += bytes;
    this.#call.write(
      requestFrame(
        this.#variant === 'delta'
          ? [
              [2, typeUrl],
              [6, nonce],
            ]
          : [[1, version], [4, typeUrl], [5, nonce], ...this.#namesOf(typeUrl)],
      ),
    );
    this.#onFrame(typeUrl, resources);
  }
}

let streams: readonly Stream[] = [];

async function connectAll(order: ConnectOrder): Promise<Report> {
  const all: Stream[] = [];
  const times: number[] = [];
  let next = 0;
  const connectSome = async (): Promise<void> => {
    while (next < order.streams) {
      const index = next;
      next += 1;
      const stream = new Stream(order, `sidecar-${process.pid}-${index}`, index < order.slow);
      await stream.had('CDS', 1);
      const done = stream.had('LDS', 1);
      stream.ask('LDS', []);
      times[index] = await done;
      all[index] = stream;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, connectSome));
  if (order.endpoints.length > 0) await Promise.all(all.map((stream) => askForEndpoints(stream, order)));
  for (const stream of all.slice(0, order.slow)) stream.pause();
  streams = all.slice(order.slow);
  return { what: 'connected', times, bytes: all.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Not all servers have any, so this is no part of the first sync. */
async function askForEndpoints(stream: Stream, { endpoints }: ConnectOrder): Promise<void> {
  const had = stream.had('EDS', 1);
  stream.ask('EDS', endpoints);
  await had;
}

async function wait({ type, resources }: WaitOrder): Promise<Report> {
  const before = streams.reduce((sum, { bytes }) => sum + bytes, 0);
  const times = await Promise.all(streams.map((stream) => stream.had(type, resources)));
  return { what: 'had', times, bytes: streams.reduce((sum, { bytes }) => sum + bytes, 0) - before };
}

async function follow(order: Order): Promise<void> {
  if (order.do === 'connect') {
    process.send?.(await connectAll(order));
    return;
  }
  const had = wait(order);
  process.send?.({ what: 'waiting', times: [], bytes: 0 } satisfies Report);
  process.send?.(await had);
}

process.on('message', (order: Order) => void follow(order));
process.on('disconnect', () => process.exit());
