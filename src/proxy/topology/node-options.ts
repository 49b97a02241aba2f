/**
 * Where a Redis server is, and how it is connected to.
 */
import type { Credentials, UpstreamBase, UpstreamTls } from '../../plan/routing-plan.ts';
import { keepaliveOf, type Keepalive } from '../wire/socket.ts';

export interface NodeOptions {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly credentials: Credentials | undefined;
  readonly tls: UpstreamTls | undefined;
  readonly keepalive: Keepalive;
  /** Whether it knows READONLY. */
  readonly isClusterNode: boolean;
}

/** All but where it is. */
export function nodeOptionsOf(
  { connectTimeoutMs, credentials, tls, keepalive }: UpstreamBase,
  isClusterNode: boolean,
): Omit<NodeOptions, 'host' | 'port'> {
  return { connectTimeoutMs, credentials, tls, keepalive: keepaliveOf(keepalive), isClusterNode };
}
