/**
 * The RoutingPlan: what each listener does with each command, in Redis' terms.
 *
 * Knows neither Envoy nor Kubernetes. Plan objects never change once made: the same object means the same content,
 * which is what everything after it relies on to do only what a change asks for.
 */
import type { ObjectRef } from '../api/diagnostic.ts';
import type { ReadPolicy } from '../api/objects.ts';
import type { SecretText } from '../api/secret-text.ts';

/** Where nothing else says which port Redis has. */
export const REDIS_PORT = 6379;

/** `redis-cluster.redis.svc.cluster.local:6379`. */
export type ListenerId = string;

/** `HOST:PORT`, with `@NAMESPACE` where a RedisDestination outside the host's own namespace shapes it. */
export type UpstreamId = string;

export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

export interface Credentials {
  readonly username: string | undefined;
  readonly password: SecretText;
}

export type ClientAuth =
  | { readonly kind: 'none' }
  | ({ readonly kind: 'password' } & Credentials)
  /** Asked for but never known: every command answers an error. */
  | { readonly kind: 'unavailable'; readonly why: string };

export interface Listener {
  readonly id: ListenerId;
  readonly host: string;
  /** The port that clients of the host use; the listener's own where nothing else is said. */
  readonly port: number;
  readonly clientAuth: ClientAuth;
  readonly readPolicy: ReadPolicy;
  readonly routes: PrefixRoutes;
  readonly opTimeoutMs: number;
  readonly followRedirections: boolean;
  /** undefined: clients of every namespace; else only those of this one. */
  readonly onlyNamespace: string | undefined;
  readonly origin: ObjectRef;
  readonly originCreatedMs: number;
}

export interface PrefixRoutes {
  /** Sorted by prefix, none empty, none twice; the longest that matches wins. */
  readonly prefixes: readonly PrefixRoute[];
  /** undefined: a key that no prefix matches is answered with an error. */
  readonly catchAll: Route | undefined;
}

export interface Route {
  readonly upstream: UpstreamId;
}

export interface PrefixRoute extends Route {
  readonly prefix: string;
  readonly removePrefix: boolean;
}

interface UpstreamBase {
  readonly id: UpstreamId;
  readonly connectTimeoutMs: number;
  readonly credentials: Credentials | undefined;
}

/** A Redis Cluster: shards and roles are discovered from the seeds. */
export interface ClusterUpstream extends UpstreamBase {
  readonly mode: 'cluster';
  /** IP addresses or DNS names; at least one. */
  readonly seeds: readonly SocketAddress[];
}

/** Plain servers; keys are sharded over them by Maglev. */
export interface ProxyUpstream extends UpstreamBase {
  readonly mode: 'proxy';
  readonly servers: ProxyServers;
}

export type ProxyServers =
  | { readonly kind: 'endpoints'; readonly endpoints: readonly ProxyEndpoint[] }
  | { readonly kind: 'dns'; readonly name: string; readonly port: number };

export interface ProxyEndpoint extends SocketAddress {
  /** What Maglev places the endpoint by. */
  readonly hashKey: string;
}

/** Commands for it answer an error and nothing is sent to Redis. */
export interface UnavailableUpstream {
  readonly id: UpstreamId;
  readonly mode: 'unavailable';
  readonly why: string;
}

export type Upstream = ClusterUpstream | ProxyUpstream | UnavailableUpstream;

/** What one node carries out. */
export interface RoutingPlan {
  readonly listeners: readonly BoundListener[];
  readonly upstreams: ReadonlyMap<UpstreamId, Upstream>;
}

export interface BoundListener {
  readonly listener: Listener;
  readonly bind: SocketAddress;
}
