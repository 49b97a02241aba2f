/**
 * The port: accepts connections, with or without TLS, and hands them to grpc-js.
 *
 * The sockets are ours and not grpc-js's, because it (1.14.7) says nothing of a handshake that failed, ends no connection
 * with `forceShutdown` when channelz is off, and takes new certificates in an experimental way only. Each connection has
 * an injector of its own (5 KB, 6 us), since that is what can say GOAWAY to it alone.
 */
import { constants as cryptoConstants } from 'node:crypto';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
} from 'node:tls';

import { logVerbosity, type Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';

import {
  type CertificateFiles,
  type Certificates,
  readCertificates,
  tlsContext,
} from '../tls/certificate-files.ts';
import { listenProblem } from '../api/listen-problem.ts';
import { type Found, namespaceOf } from '../tls/identity.ts';
import { watchCertificates } from '../tls/watch.ts';
import type { Clock } from './clock.ts';
import { Connection, GOODBYE_MS, peerOf } from './connection.ts';
import { formatAddress, type HostAndPort } from './listen-address.ts';
import type { XdsLog } from './live-stream.ts';
import type { XdsMetrics } from './metrics.ts';
import { refusalOfPeer } from './peer.ts';

export interface TlsOptions {
  readonly files: CertificateFiles;
  /** `cluster.local`: the ending of the DNS names that say a namespace. */
  readonly clusterDomain: string;
  /** How often to look whether the files have changed. */
  readonly everyMs?: number;
}

export interface PortOptions {
  readonly address: HostAndPort;
  readonly tls: TlsOptions | undefined;
  readonly maxConnections: number;
  /** undefined: connections may stay for as long as their certificate is valid. */
  readonly maxConnectionAgeMs: number | undefined;
  readonly log: XdsLog;
  readonly clock: Clock;
  readonly metrics: XdsMetrics | undefined;
}

export interface Port {
  /** `HOST:PORT`, with the port that was taken where 0 was asked for. */
  readonly address: string;
  /** The connection that a call came on, by what grpc-js calls its peer. */
  connection(peer: string): Connection | undefined;
  /** Says goodbye on all connections and takes no new ones; resolves when all are gone. */
  close(): Promise<void>;
}

/** How long a client may take for its handshake. */
const HANDSHAKE_MS = 10_000;

/** Fails with one line. */
export async function openPort(server: Server, options: PortOptions): Promise<Port> {
  const { address, tls, log, clock, metrics, maxConnections, maxConnectionAgeMs } = options;
  // grpc-js says what it sees on stderr in its own words; whoever looks for a fault in it asks for that.
  if (process.env['GRPC_VERBOSITY'] === undefined && process.env['GRPC_NODE_VERBOSITY'] === undefined) {
    setLogVerbosity(logVerbosity.NONE);
  }
  const connections = new Map<string, Connection>();
  const accept = (socket: Socket, identity: Found | undefined, notAfterMs: number | undefined): void => {
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const connection = new Connection(socket, injector, {
      clock,
      identity,
      maxAgeMs: maxConnectionAgeMs,
      notAfterMs,
      log,
    });
    const { peer } = connection;
    connections.set(peer, connection);
    metrics?.connectionOpened();
    socket.once('close', () => {
      connection.closed();
      if (connections.get(peer) === connection) connections.delete(peer);
      metrics?.connectionClosed();
    });
  };
  const refuse = (peer: string, reason: string): void => {
    metrics?.connectionRefused();
    log.warn({ peer, reason }, 'connection refused');
  };

  const opened = tls === undefined ? openPlain(accept) : await openTls(tls, accept, refuse, options);
  const { listener, stopWatching } = opened;
  // Before and after their handshakes.
  const sockets = new Set<Socket>();
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  listener.maxConnections = maxConnections;
  listener.on('drop', (dropped) => {
    const peer = `${dropped?.remoteAddress}:${dropped?.remotePort}`;
    refuse(peer, `there are ${maxConnections} connections already`);
  });
  let port: number;
  try {
    port = await listen(listener, address);
  } catch (error) {
    stopWatching();
    throw error;
  }
  return {
    address: formatAddress({ host: address.host, port }),
    connection: (peer) => connections.get(peer),
    close: async () => {
      stopWatching();
      for (const connection of connections.values()) connection.leave('the control plane is closing');
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      const callOff = clock.setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, GOODBYE_MS);
      await closed;
      callOff();
      server.forceShutdown();
    },
  };
}

type Accept = (socket: Socket, identity: Found | undefined, notAfterMs: number | undefined) => void;

interface Opened {
  readonly listener: NetServer | TlsServer;
  readonly stopWatching: () => void;
}

function openPlain(accept: Accept): Opened {
  const listener = createServer({ noDelay: true }, (socket) => accept(socket, undefined, undefined));
  return { listener, stopWatching: () => {} };
}

async function openTls(
  { files, clusterDomain, everyMs }: TlsOptions,
  accept: Accept,
  refuse: (peer: string, reason: string) => void,
  { log, metrics }: PortOptions,
): Promise<Opened> {
  const certificates = await readCertificates(files);
  const listener = createTlsServer({
    ...contextOf(certificates),
    noDelay: true,
    requestCert: true,
    // Node would destroy the socket before one could ask it who it was; the check is the first thing below.
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    handshakeTimeout: HANDSHAKE_MS,
  });
  listener.on('secureConnection', (socket) => {
    const certificate = socket.getPeerCertificate();
    const reason = refusalOfPeer(socket, certificate);
    if (reason === undefined) {
      const identity = namespaceOf(certificate.subjectaltname, clusterDomain);
      accept(socket, identity, Date.parse(certificate.valid_to));
      return;
    }
    refuse(peerOf(socket), reason);
    socket.on('error', () => {});
    socket.destroy();
  });
  listener.on('tlsClientError', (error: NodeJS.ErrnoException & { readonly reason?: string }, socket) => {
    // Probes that only connect, and clients that have changed their mind.
    if (error.code === 'ECONNRESET') log.debug({}, 'connection closed before its handshake');
    else refuse(peerOf(socket), `no TLS handshake: ${error.reason ?? error.code ?? 'failed'}`);
  });
  const tell = ({ names, notAfter }: Certificates): void => {
    metrics?.certificateEnds(notAfter);
    log.info({ names, notAfter: notAfter.toISOString() }, 'certificate in force for new connections');
  };
  tell(certificates);
  const stopWatching = watchCertificates(files, certificates, {
    everyMs,
    onChange: (renewed) => {
      listener.setSecureContext(contextOf(renewed));
      tell(renewed);
    },
    onProblem: (problem) => log.warn({ problem }, 'certificate files not usable; those before stay in force'),
  });
  return { listener, stopWatching };
}

/** Without session tickets: each connection shows its certificate anew. */
function contextOf(certificates: Certificates): SecureContextOptions {
  return { ...tlsContext(certificates), secureOptions: cryptoConstants.SSL_OP_NO_TICKET };
}

function listen(listener: NetServer, address: HostAndPort): Promise<number> {
  return new Promise((resolve, reject) => {
    // Later ones are of a client that could not be accepted (ENOBUFS), and would end the process if nobody heard them.
    listener.on('error', (error: NodeJS.ErrnoException) => {
      const why = listenProblem(error, address.port);
      reject(
        new Error(`xDS address ${formatAddress(address)} ${why}; give another with --xds-address`, {
          cause: error,
        }),
      );
    });
    listener.listen(address.port, address.host, () => {
      const bound = listener.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : address.port);
    });
  });
}
