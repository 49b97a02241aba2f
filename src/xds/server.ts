/**
 * The xDS server: streams over gRPC, aggregated or of one type, in both variants.
 *
 * Changes are gathered for one turn of the event loop and then pushed to all streams (`broadcast.ts`).
 */
import { Server, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Registry } from 'prom-client';

import { Broadcast } from './broadcast.ts';
import { type Clock, systemClock } from './clock.ts';
import { createHealth } from './health.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { type HostAndPort, checkMayListen } from './listen-address.ts';
import { LiveStream, type StreamState, type Surroundings, type XdsLog } from './live-stream.ts';
import { createXdsMetrics } from './metrics.ts';
import { openPort, type Port, type TlsOptions } from './port.ts';
import type { StreamKind } from './requests.ts';
import { Shares } from './shares.ts';
import { SERVICES, transportOf, type XdsCall } from './service.ts';
import type { Acknowledgement, NodeStream, SnapshotSource } from './snapshot-source.ts';

export interface XdsServerOptions {
  readonly address: HostAndPort;
  readonly source: SnapshotSource;
  readonly log: XdsLog;
  readonly onAcknowledgement?: (acknowledgement: Acknowledgement) => void;
  /** Mutual TLS; undefined: in the clear. */
  readonly tls?: TlsOptions | undefined;
  /** A node came, went, asked or answered: what `nodes` says may have changed. */
  readonly onNode?: () => void;
  /** Allows an address beyond loopback, without TLS. */
  readonly insecure?: boolean;
  /** Connections end when they are about this old; undefined: never for that. */
  readonly maxConnectionAgeMs?: number | undefined;
  readonly limits?: Partial<Limits>;
  readonly metrics?: Registry;
  readonly clock?: Clock;
}

export interface XdsServer {
  /** `HOST:PORT`, with the port that was taken where 0 was asked for. */
  readonly address: string;
  /** What is on each stream now, by type. */
  streams(): readonly StreamState[];
  /** Who is connected, by stream, and what they made of what they were sent. */
  nodes(): readonly NodeStream[];
  /** Ends all streams and frees the port. */
  close(): Promise<void>;
}

const CHANNEL_OPTIONS = {
  // Costs memory per call and is not used.
  'grpc.enable_channelz': 0,
  // Finds Envoys that are gone without a word.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

/** Resolves once the port is open; fails with one line. */
export async function createXdsServer(options: XdsServerOptions): Promise<XdsServer> {
  const { address, source, log, clock = systemClock } = options;
  checkMayListen(address, options);

  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const metrics = options.metrics && createXdsMetrics(options.metrics);
  const around: Surroundings = {
    source,
    log,
    clock,
    limits,
    shares: new Shares(limits),
    metrics,
    onAcknowledgement: options.onAcknowledgement,
    onNode: options.onNode,
  };
  const live = new Set<LiveStream>();
  // What is more is not even received; up to there the stream says itself what is wrong, and those of the health service,
  // which count for no other limit, have an end as well.
  const receivable = {
    'grpc.max_receive_message_length': 2 * limits.messageBytes,
    'grpc.max_concurrent_streams': 2 * limits.streamsPerConnection,
  };
  const server = new Server({ ...CHANNEL_OPTIONS, ...receivable });
  for (const { definition, methods, only } of SERVICES) {
    const handlers = methods.map(({ name, variant }) => {
      return [name, (call: XdsCall) => serve(call, { variant, only }, around, live, port)] as const;
    });
    const implementation: UntypedServiceImplementation = Object.fromEntries(handlers);
    server.addService(definition, implementation);
  }
  const health = createHealth(SERVICES.map(({ name }) => name));
  server.addService(health.definition, health.implementation);
  const port = await openPort(server, {
    address,
    tls: options.tls,
    maxConnections: limits.connections,
    maxConnectionAgeMs: options.maxConnectionAgeMs,
    log,
    clock,
    metrics,
  });

  const broadcast = new Broadcast(live);
  const stopWatching = source.onChange(() => broadcast.begin(clock.now()));

  return {
    address: port.address,
    streams: () => [...live].flatMap((stream) => stream.states()),
    nodes: () => [...live].flatMap((stream) => stream.client() ?? []),
    close: async () => {
      stopWatching();
      broadcast.stop();
      health.stop();
      await port.close();
      live.clear();
    },
  };
}

function serve(
  call: XdsCall,
  kind: StreamKind,
  around: Surroundings,
  live: Set<LiveStream>,
  port: Port,
): void {
  const connection = port.connection(call.getPeer());
  if (connection === undefined) {
    // It broke while the call was on its way.
    transportOf(call).leave('the connection is closed');
    return;
  }
  const stream = new LiveStream(kind, transportOf(call), around, connection);
  live.add(stream);
  // `end` alone is not sent when the connection breaks (grpc-js 1.14), so whichever comes first counts.
  const over = (why: string): void => {
    stream.over(why);
    live.delete(stream);
    connection.delete(stream);
  };
  call.on('data', (bytes: Buffer) => stream.receive(bytes));
  call.on('end', () => {
    over('ended by the node');
    call.end();
  });
  call.on('cancelled', () => over('cancelled'));
  call.on('error', (error: Error) => over(error.message));
  call.on('close', () => over('closed'));
  connection.add(stream);
  const { streams, streamsPerConnection } = around.limits;
  const { excess } = stream;
  if (live.size > streams) stream.refuse({ kind: 'full', problem: `there are ${streams} streams already` });
  else if (excess !== undefined) stream.refuse({ kind: 'full', problem: excess });
  else if (connection.streams > streamsPerConnection) {
    const problem = `there are ${streamsPerConnection} streams on this connection already`;
    stream.refuse({ kind: 'full', problem });
  }
}
