/**
 * A socket to Redis, plain or TLS, that reads into a buffer of the caller's; what opens and ends it.
 */
import { connect, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import type { TcpKeepalive } from '../../api/objects.ts';
import type { UpstreamTls } from '../../plan/routing-plan.ts';
import { problemOf } from '../../sources/observations/connection-problem.ts';
import { lookupOnce } from '../../sources/observations/shared-lookup.ts';
import { clientTlsOptions } from '../../sources/observations/tls-options.ts';
import { patience } from './patience.ts';

export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly keepalive: Keepalive;
  readonly tls: UpstreamTls | undefined;
}

/** Before the kernel asks an idle connection whether it is still there, between two questions, and how many it asks. */
export interface Keepalive {
  readonly timeMs: number;
  readonly intervalMs: number | undefined;
  readonly probes: number | undefined;
}

const DEFAULT_TIME_MS = 30_000;
/** As Node has them. */
const DEFAULT_INTERVAL_MS = 1_000;
const DEFAULT_PROBES = 10;

/** Known to Node 26; an older one has two parameters, and the rest fixed. */
type ProbingSocket = Socket & {
  setKeepAlive(enable: boolean, timeMs: number, intervalMs: number, probes: number): unknown;
};

/** Whether interval and probes have an effect here. */
export const knowsProbes = Socket.prototype.setKeepAlive.length > 2;

export function keepaliveOf(asked: TcpKeepalive | undefined): Keepalive {
  const { timeSeconds, intervalSeconds, probes } = asked ?? {};
  return {
    timeMs: timeSeconds === undefined ? DEFAULT_TIME_MS : timeSeconds * 1_000,
    intervalMs: intervalSeconds === undefined ? undefined : intervalSeconds * 1_000,
    probes,
  };
}

export function openSocket(
  { host, port, keepalive, tls }: SocketOptions,
  buffer: Buffer,
  read: (length: number) => void,
): Socket {
  const options = {
    host,
    port,
    lookup: lookupOnce,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepalive.timeMs,
    onread: {
      buffer,
      callback: (length: number): boolean => {
        read(length);
        return true;
      },
    },
  };
  const socket = connectOrFail(() =>
    tls === undefined ? connect(options) : connectTls({ ...options, ...clientTlsOptions(tls) }),
  );
  const { timeMs, intervalMs, probes } = keepalive;
  if (intervalMs !== undefined || probes !== undefined) {
    (socket as ProbingSocket).setKeepAlive(
      true,
      timeMs,
      intervalMs ?? DEFAULT_INTERVAL_MS,
      probes ?? DEFAULT_PROBES,
    );
  }
  return socket;
}

interface Follower {
  opened(): void;
  /** Maybe several times, or after it was closed by the follower. */
  closed(problem: string): void;
}

export function followSocket(
  socket: Socket,
  { tls, connectTimeoutMs }: SocketOptions,
  follower: Follower,
): void {
  let problem = 'closed by the node';
  const connected = patience(connectTimeoutMs, () =>
    follower.closed(`no connection within ${connectTimeoutMs} ms`),
  );
  socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
    connected();
    follower.opened();
  });
  socket.on('error', (error) => {
    problem = problemOf(error);
  });
  socket.on('end', () => follower.closed(problem));
  socket.on('close', () => {
    connected();
    follower.closed(problem);
  });
}

/**
 * A certificate that OpenSSL refuses, or an address that can't be one, makes `open` throw: here it ends like any connection
 * that fails, a little later.
 */
function connectOrFail(open: () => Socket): Socket {
  try {
    return open();
  } catch (error) {
    return new Socket().destroy(error instanceof Error ? error : new Error(String(error)));
  }
}
