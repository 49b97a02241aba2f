/**
 * The RoutingPlan: what each listener does with each command, in Redis' terms.
 *
 * Knows neither Envoy nor Kubernetes. Plan objects never change once made: the same object means the same content,
 * which is what everything after it relies on to do only what a change asks for.
 */
import type { ObjectRef } from '../api/diagnostic.ts';
import type { Batching, Fault, Protocol, ReadPolicy, TcpKeepalive } from '../api/objects.ts';
import type { SecretText } from '../api/secret-text.ts';

/** Where nothing else says which port Redis has. */
export const REDIS_PORT = 6379;

/** `redis-cluster.redis.svc.cluster.local:6379`. */
export type ListenerId = string;

/**
 * `HOST:PORT`, with `@NAMESPACE` where the RedisDestination that shapes it, or the ServiceEntry that says what it is, holds
 * for that namespace only, `+zones` where the zones of its nodes are asked for; `reads/POLICY/…` for servers that only reads
 * go to.
 */
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
  readonly protocol: Protocol;
  readonly clientAuth: ClientAuth;
  /** Of the Redis Clusters that are routed to. */
  readonly readPolicy: ReadPolicy;
  /** Nodes of the reader's zone come first, within what the policy allows. */
  readonly zoneAffinity: boolean;
  readonly routes: PrefixRoutes;
  readonly faults: readonly Fault[];
  readonly opTimeoutMs: number;
  readonly followRedirections: boolean;
  /** On plain servers; in a Redis Cluster hash tags always count. */
  readonly hashTags: boolean;
  readonly commandStats: boolean;
  readonly batching: Batching | undefined;
  /** How many connections redirections may open to nodes that no topology names; undefined: the data plane's own limit. */
  readonly maxUnknownConnections: number | undefined;
  /** Some route leads to plain servers, whose connections all clients share. */
  readonly leadsToPlainServers: boolean;
  /** The object wants no guard against what a data plane would do wrong in silence. */
  readonly isUnguarded: boolean;
  /** Where it asks to listen; undefined: where the node's listeners do. */
  readonly listen: SocketAddress | undefined;
  /** undefined: clients of every namespace; else only those of these. */
  readonly onlyNamespaces: readonly string[] | undefined;
  /** From an object outside the host's own namespace: for clients of its own, where it wins over the host's. */
  readonly isConsumers: boolean;
  readonly origin: ObjectRef;
  readonly originCreatedMs: number;
}

export interface PrefixRoutes {
  /** Sorted by prefix, none empty, none twice; the longest that matches wins. */
  readonly prefixes: readonly PrefixRoute[];
  /** undefined: a key that no prefix matches is answered with an error. */
  readonly catchAll: Route | undefined;
  /** Prefixes match without regard to case (ASCII). */
  readonly caseInsensitive: boolean;
}

export interface Route {
  readonly upstream: UpstreamId;
  /** Where reads go instead; undefined: to the same. */
  readonly reads: UpstreamId | undefined;
  readonly mirrors: readonly Mirror[];
}

/** The catch-all last. */
export function routesOf({ routes: { prefixes, catchAll } }: Listener): readonly Route[] {
  return catchAll === undefined ? prefixes : [...prefixes, catchAll];
}

/** A copy of the commands; the reply is thrown away. */
export interface Mirror {
  readonly upstream: UpstreamId;
  /** Above 0, up to 100. */
  readonly percentage: number;
  readonly excludeReads: boolean;
}

export interface PrefixRoute extends Route {
  readonly prefix: string;
  readonly removePrefix: boolean;
}

/** What every upstream that can be reached has. */
export interface UpstreamBase {
  readonly id: UpstreamId;
  readonly connectTimeoutMs: number;
  readonly credentials: Credentials | undefined;
  /** undefined: plaintext. */
  readonly tls: UpstreamTls | undefined;
  readonly keepalive: TcpKeepalive | undefined;
  readonly maxConnections: number | undefined;
}

export interface UpstreamTls {
  /** What is asked for, and what the certificate must be for: a DNS name or an IP address. */
  readonly serverName: string;
  /** Whoever answers is believed. */
  readonly skipVerification: boolean;
  /** PEM; undefined: those of the system. */
  readonly authorities: SecretText | undefined;
  /** What we present; PEM. */
  readonly certificate: { readonly chain: SecretText; readonly key: SecretText } | undefined;
}

/** A Redis Cluster: shards and roles are discovered from the seeds. */
export interface ClusterUpstream extends UpstreamBase {
  readonly mode: 'cluster';
  /** IP addresses or DNS names; at least one. */
  readonly seeds: readonly SocketAddress[];
  /** Each node is asked for its zone. */
  readonly discoverZones: boolean;
  /** How often all of its servers were replaced at once; undefined: never. */
  readonly generation: number | undefined;
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

/** Servers that only reads go to, each as good as another of its group: any of the first group that can answer. */
export interface ReadsUpstream extends UpstreamBase {
  readonly mode: 'reads';
  /** By preference; a later one is used where nobody of an earlier one can answer. */
  readonly groups: readonly (readonly ProxyServers[])[];
}

/** Commands for it answer an error and nothing is sent to Redis. */
export interface UnavailableUpstream {
  readonly id: UpstreamId;
  readonly mode: 'unavailable';
  readonly why: string;
}

export type Upstream = ClusterUpstream | ProxyUpstream | ReadsUpstream | UnavailableUpstream;

/** What one node carries out. */
export interface RoutingPlan {
  readonly listeners: readonly BoundListener[];
  readonly upstreams: ReadonlyMap<UpstreamId, Upstream>;
}

export interface BoundListener {
  readonly listener: Listener;
  readonly bind: SocketAddress;
}
