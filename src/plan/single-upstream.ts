/**
 * A plan without objects: one listener, one upstream, as flags name them.
 */
import { addressOf } from '../api/host-port.ts';
import type { ReadPolicy } from '../api/objects.ts';
import type { SecretText } from '../api/secret-text.ts';
import { readGroups } from './read-groups.ts';
import type { ProxyServers, RoutingPlan, SocketAddress, Upstream } from './routing-plan.ts';

export interface SingleUpstream {
  readonly upstream: SocketAddress;
  readonly mode: 'cluster' | 'proxy';
  /** In proxy mode: the primary's replicas. */
  readonly reads?: SocketAddress | undefined;
  readonly readPolicy: ReadPolicy;
  readonly listen: SocketAddress;
  readonly zoneAffinity?: boolean;
  /** Of the two passwords; undefined: that of no user by name. */
  readonly clientUsername?: string | undefined;
  readonly upstreamUsername?: string | undefined;
  readonly clientPassword: SecretText | undefined;
  readonly upstreamPassword: SecretText | undefined;
}

const CONNECT_TIMEOUT_MS = 500;
/** What only objects can ask for. */
const PLAIN = { tls: undefined, keepalive: undefined, maxConnections: undefined } as const;
const OP_TIMEOUT_MS = 5_000;

export function planSingleUpstream(options: SingleUpstream): RoutingPlan {
  const { upstream: place, mode, listen, clientUsername, clientPassword } = options;
  const { upstreamUsername, upstreamPassword } = options;
  const id = addressOf(place.address, place.port);
  const common = {
    id,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    credentials:
      upstreamPassword === undefined ? undefined : { username: upstreamUsername, password: upstreamPassword },
  };
  const upstream: Upstream =
    mode === 'cluster'
      ? { ...common, ...PLAIN, mode, seeds: [place], discoverZones: false, generation: undefined }
      : { ...common, ...PLAIN, mode, servers: { kind: 'dns', name: place.address, port: place.port } };
  const reads = readsOf(options, upstream);
  return {
    upstreams: new Map([upstream, ...(reads === undefined ? [] : [reads])].map((each) => [each.id, each])),
    listeners: [
      {
        bind: listen,
        listener: {
          id,
          host: place.address,
          port: listen.port,
          clientAuth:
            clientPassword === undefined
              ? { kind: 'none' }
              : { kind: 'password', username: clientUsername, password: clientPassword },
          readPolicy: options.readPolicy,
          protocol: 'RESP3',
          zoneAffinity: options.zoneAffinity === true && mode === 'cluster',
          faults: [],
          hashTags: false,
          commandStats: false,
          batching: undefined,
          maxUnknownConnections: undefined,
          leadsToPlainServers: mode === 'proxy',
          isUnguarded: false,
          listen: undefined,
          isConsumers: false,
          routes: {
            prefixes: [],
            catchAll: { upstream: id, reads: reads?.id, mirrors: [] },
            caseInsensitive: false,
          },
          opTimeoutMs: OP_TIMEOUT_MS,
          followRedirections: mode === 'cluster',
          onlyNamespaces: undefined,
          origin: { kind: 'RedisService', namespace: '', name: 'flags' },
          originCreatedMs: 0,
        },
      },
    ],
  };
}

function readsOf({ reads, readPolicy }: SingleUpstream, upstream: Upstream): Upstream | undefined {
  if (reads === undefined || readPolicy === 'MASTER' || upstream.mode !== 'proxy') return undefined;
  const servers: ProxyServers = { kind: 'dns', name: reads.address, port: reads.port };
  return {
    ...upstream,
    id: `reads/${readPolicy}/${upstream.id}/${addressOf(reads.address, reads.port)}`,
    mode: 'reads',
    groups: readGroups(readPolicy, upstream.servers, servers),
  };
}
