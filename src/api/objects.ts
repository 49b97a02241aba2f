/**
 * The objects as the rest of redpilot sees them: parsed, with defaults, free of YAML.
 *
 * Only what is carried out is here; the parsers refuse or pass over the rest. Host names are as the user wrote them:
 * which service a name means is decided in `host-name.ts`.
 */
import type { FieldPath, Position } from './diagnostic.ts';
import type { SecretText } from './secret-text.ts';

export type ReadPolicy = 'MASTER' | 'PREFER_MASTER' | 'REPLICA' | 'PREFER_REPLICA' | 'ANY';

export type Mode = 'PROXY' | 'CLUSTER';

/** What every object has. */
export interface ObjectHeader {
  readonly namespace: string;
  readonly name: string;
  /** metadata.creationTimestamp, milliseconds since 1970; Infinity where it is absent (files): never the older one. */
  readonly createdMs: number;
  /** metadata.uid, which another object of the same name does not have; absent: files say none. */
  readonly uid?: string | undefined;
  /** Where a field stands in its file; undefined where the object did not come from a file. */
  readonly locate: (path: FieldPath) => Position | undefined;
}

export interface RedisService extends ObjectHeader {
  readonly kind: 'RedisService';
  /** spec.host: at least one. */
  readonly hosts: readonly string[];
  readonly readPolicy: ReadPolicy;
  readonly opTimeoutMs: number;
  /** undefined: on in cluster mode, off in proxy mode. */
  readonly enableRedirection: boolean | undefined;
  readonly caseInsensitive: boolean;
  readonly enableHashtagging: boolean;
  readonly enableCommandStats: boolean;
  readonly batching: Batching | undefined;
  readonly maxUpstreamUnknownConnections: number | undefined;
  /** What clients must present; undefined: nothing. */
  readonly auth: Auth | undefined;
  /** spec.redis, in its order; empty: everything to the listener's own host and port. */
  readonly rules: readonly RouteRule[];
  /** spec.faults, in its order. */
  readonly faults: readonly Fault[];
  readonly annotations: ServiceAnnotations;
}

/** Small requests wait for each other, up to this size and this long. */
export interface Batching {
  readonly bytes: number;
  readonly flushAfterMs: number;
}

export interface RouteRule {
  /** Empty: the catch-all. */
  readonly prefix: string;
  readonly removePrefix: boolean;
  readonly host: string;
  readonly port: number | undefined;
  /** Where reads go instead: the replicas of a primary that is no Redis Cluster. */
  readonly reads: HostPort | undefined;
  readonly mirrors: readonly MirrorRule[];
}

export interface MirrorRule extends HostPort {
  /** 0 to 100, in steps of 0.0001. */
  readonly percentage: number;
  readonly excludeReadCommands: boolean;
}

export interface Fault {
  readonly type: 'DELAY' | 'ERROR';
  /** 0 to 100, in steps of 0.0001. */
  readonly percentage: number;
  readonly delayMs: number | undefined;
  /** In lower case, none twice; empty: all but AUTH and PING. */
  readonly commands: readonly string[];
}

export type Protocol = 'RESP2' | 'RESP3';

/** The annotations `redpilot.dev/…` of a RedisService. */
export interface ServiceAnnotations {
  readonly listen: readonly ListenAddress[];
  /** Namespaces, `.` for the object's own; undefined: as the control plane says; `*`: all. */
  readonly exportTo: readonly string[] | undefined;
  readonly protocol: Protocol;
  readonly zoneAffinity: boolean;
  readonly guards: boolean;
  /** Whose sidecars get an EnvoyFilter too, beside its own namespace's; `*`: the whole mesh's. */
  readonly istioNamespaces: readonly string[];
  /** How passwords of Secrets may get into an EnvoyFilter; undefined: not at all. */
  readonly istioSecrets: IstioSecrets | undefined;
  /** An EnvoyFilter takes every connection to the port, whatever its address. */
  readonly istioPortWide: boolean;
}

/** `file`: the sidecar reads them from files that are mounted into it. */
export type IstioSecrets = 'inline' | 'file';

/** `HOST[:PORT]=ADDRESS:PORT`, or `ADDRESS:PORT` alone. */
export interface ListenAddress {
  /** As the user wrote it; undefined: the object's only listener. */
  readonly of: HostPort | undefined;
  readonly address: string;
  readonly port: number;
}

export type Auth =
  | { readonly kind: 'plain'; readonly username: string | undefined; readonly password: SecretText }
  | {
      readonly kind: 'secret';
      readonly name: string;
      readonly passwordField: string | undefined;
      readonly usernameField: string | undefined;
    };

export interface RedisDestination extends ObjectHeader {
  readonly kind: 'RedisDestination';
  readonly host: string;
  /**
   * Set where it has a mistake, was never good, and asks for TLS or a password: of all that it may mean nothing is known
   * but hosts.
   */
  readonly refused?: { readonly otherHosts: readonly string[] };
  readonly mode: Mode | undefined;
  /** What we present to Redis. */
  readonly auth: Auth | undefined;
  readonly discoveryEndpoints: readonly HostPort[];
  readonly connectTimeoutMs: number | undefined;
  readonly maxConnections: number | undefined;
  readonly tcpKeepalive: TcpKeepalive | undefined;
  /** undefined: plaintext. */
  readonly tls: Tls | undefined;
}

/** What is undefined is the kernel's. */
export interface TcpKeepalive {
  readonly probes: number | undefined;
  readonly timeSeconds: number | undefined;
  readonly intervalSeconds: number | undefined;
}

export interface Tls {
  readonly mode: 'SIMPLE' | 'MUTUAL';
  /** Its fields ca.crt, tls.crt, tls.key; undefined: the system's authorities. */
  readonly secretName: string | undefined;
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

/** `host`, `host:port`, `ip:port` or `[v6]:port`, taken apart; an IPv6 address without its brackets. */
export interface HostPort {
  readonly host: string;
  readonly port: number | undefined;
}

export interface Service extends ObjectHeader {
  readonly kind: 'Service';
  readonly hasSelector: boolean;
  /** clusterIP "None": its name resolves to the pods themselves. */
  readonly isHeadless: boolean;
  /** Its virtual addresses; none of a headless one, and from files mostly unknown. */
  readonly clusterIps: readonly string[];
  readonly externalName: string | undefined;
  readonly ports: readonly ServicePort[];
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** Only where it is a number. */
  readonly targetPort: number | undefined;
  readonly appProtocol: string | undefined;
}

export interface EndpointSlice extends ObjectHeader {
  readonly kind: 'EndpointSlice';
  /** Label kubernetes.io/service-name. */
  readonly serviceName: string | undefined;
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN';
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  readonly addresses: readonly string[];
  /** targetRef.name: stays the same when a pod of a StatefulSet comes back with another address. */
  readonly targetName: string | undefined;
}

/** Istio's: a host that the mesh knows without a Service. */
export interface ServiceEntry extends ObjectHeader {
  readonly kind: 'ServiceEntry';
  /** In lower case. */
  readonly hosts: readonly string[];
  /** Its virtual addresses, also those that Istio has given it; CIDR blocks among them. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  /** How endpoints are found: `STATIC`, `DNS`, `NONE`, … */
  readonly resolution: string;
  readonly endpoints: readonly EntryEndpoint[];
  /** Namespaces that see it, `.` for its own; undefined: all. */
  readonly exportTo: readonly string[] | undefined;
}

export interface EntryEndpoint {
  /** An IP address or a DNS name. */
  readonly address: string;
  /** By name of the port, where it is another one. */
  readonly ports: ReadonlyMap<string, number>;
}

export interface Secret extends ObjectHeader {
  readonly kind: 'Secret';
  /** `Opaque` where it is absent. */
  readonly type: string;
  /** `data`, decoded, overlaid with `stringData`; as they are, not trimmed. */
  readonly data: ReadonlyMap<string, SecretText>;
  /** Why nothing of it can be read, as a clause; undefined: it was read. */
  readonly refusal: string | undefined;
}

export type ApiObject = RedisService | RedisDestination | Service | EndpointSlice | ServiceEntry | Secret;

export type Kind = ApiObject['kind'];
