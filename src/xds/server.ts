/**
 * The xDS server: streams over gRPC, aggregated or of one type, in both variants.
 *
 * Changes are gathered for one turn of the event loop and then pushed to all streams.
 */
import {
  logVerbosity,
  Server,
  ServerCredentials,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Registry } from 'prom-client';

import { type Clock, systemClock } from './clock.ts';
import { formatAddress, type HostAndPort, refusalToListen } from './listen-address.ts';
import { LiveStream, type StreamState, type Surroundings, type XdsLog } from './live-stream.ts';
import { createXdsMetrics } from './metrics.ts';
import type { StreamKind } from './requests.ts';
import { SERVICES, transportOf, type XdsCall } from './service.ts';
import type { Acknowledgement, SnapshotSource } from './snapshot-source.ts';

export interface XdsServerOptions {
  readonly address: HostAndPort;
  readonly source: SnapshotSource;
  readonly log: XdsLog;
  readonly onAcknowledgement?: (acknowledgement: Acknowledgement) => void;
  /** Allows an address beyond loopback, without TLS. */
  readonly insecure?: boolean;
  readonly metrics?: Registry;
  readonly clock?: Clock;
}

export interface XdsServer {
  /** `HOST:PORT`, with the port that was taken where 0 was asked for. */
  readonly address: string;
  /** What is on each stream now, by type. */
  streams(): readonly StreamState[];
  /** Ends all streams and frees the port. */
  close(): Promise<void>;
}

const CHANNEL_OPTIONS = {
  // Costs memory per call and is not used.
  'grpc.enable_channelz': 0,
  // Finds Envoys that are gone without a word.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
};

/** How long clients may take to close their connections. */
const CLOSE_LIMIT_MS = 2_000;

/** Resolves once the port is open; fails with one line. */
export async function createXdsServer(options: XdsServerOptions): Promise<XdsServer> {
  const { address, source, log, clock = systemClock } = options;
  const refusal = refusalToListen(address, options.insecure ?? false);
  if (refusal !== undefined) throw new Error(refusal);

  const around: Surroundings = {
    source,
    log,
    clock,
    metrics: options.metrics && createXdsMetrics(options.metrics),
    onAcknowledgement: options.onAcknowledgement,
  };
  const live = new Set<LiveStream>();
  const server = new Server(CHANNEL_OPTIONS);
  for (const { definition, methods, only } of SERVICES) {
    const handlers = methods.map(({ name, variant }) => {
      return [name, (call: XdsCall) => serve(call, { variant, only }, around, live)] as const;
    });
    const implementation: UntypedServiceImplementation = Object.fromEntries(handlers);
    server.addService(definition, implementation);
  }
  const port = await listen(server, address);

  let scheduled: NodeJS.Immediate | undefined;
  const stopWatching = source.onChange(() => {
    scheduled ??= setImmediate(() => {
      scheduled = undefined;
      for (const stream of live) stream.push();
    });
  });

  return {
    address: formatAddress({ host: address.host, port }),
    streams: () => [...live].flatMap((stream) => stream.states()),
    close: async () => {
      stopWatching();
      if (scheduled !== undefined) clearImmediate(scheduled);
      const closed = shutDown(server, clock);
      for (const stream of live) stream.leave();
      live.clear();
      await closed;
    },
  };
}

function serve(call: XdsCall, kind: StreamKind, around: Surroundings, live: Set<LiveStream>): void {
  const stream = new LiveStream(kind, transportOf(call), around);
  live.add(stream);
  // `end` alone is not sent when the connection breaks (grpc-js 1.14), so whichever comes first counts.
  const over = (why: string): void => {
    stream.over(why);
    live.delete(stream);
  };
  call.on('data', (bytes: Buffer) => stream.receive(bytes));
  call.on('drain', () => stream.writable());
  call.on('end', () => {
    over('ended by the node');
    call.end();
  });
  call.on('cancelled', () => over('cancelled'));
  call.on('error', (error: Error) => over(error.message));
  call.on('close', () => over('closed'));
}

async function listen(server: Server, address: HostAndPort): Promise<number> {
  // grpc-js says it on stderr in its own words as well, beside the error; whoever looks for a fault in it asks for that.
  if (process.env['GRPC_VERBOSITY'] === undefined && process.env['GRPC_NODE_VERBOSITY'] === undefined) {
    setLogVerbosity(logVerbosity.NONE);
  }
  const place = formatAddress(address);
  return await new Promise((resolve, reject) => {
    server.bindAsync(place, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(new Error(cannotListen(place, error), { cause: error }));
    });
  });
}

function cannotListen(place: string, error: Error): string {
  const [first = ''] = error.message.split('\n');
  const why = error.message.includes('EADDRINUSE')
    ? 'the address is in use; stop what listens there or choose another'
    : first;
  return `cannot listen on xDS address "${place}": ${why}`;
}

/**
 * Waits for streams and connections to end. After the limit the port is closed all the same; connections that a client
 * keeps open then stay until the process ends, since forceShutdown of grpc-js 1.14.7 forgets them without channelz.
 */
async function shutDown(server: Server, clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => {
    const callOff = clock.setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, CLOSE_LIMIT_MS);
    server.tryShutdown(() => {
      callOff();
      resolve();
    });
  });
}
