/** Objects as YAML, for end-to-end tests. */
import { stringify } from 'yaml';

import type { ReadPolicy } from '../../src/api/objects.ts';

const NAMESPACE = 'redis';

export const POLICIES: readonly ReadPolicy[] = [
  'MASTER',
  'PREFER_MASTER',
  'REPLICA',
  'PREFER_REPLICA',
  'ANY',
];

export interface HostObjects {
  readonly name: string;
  /** The listener's. */
  readonly port: number;
  /** Where Redis listens, each on 127.0.0.1. */
  readonly endpoints: readonly number[];
  readonly mode?: 'CLUSTER' | 'PROXY';
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly rules?: readonly unknown[];
  readonly upstreamAuth?: unknown;
  readonly faults?: readonly unknown[];
  /** By their names behind `redpilot.dev/`. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly tcp?: unknown;
  readonly tls?: unknown;
}

/** A RedisService and all that it refers to. */
export function hostObjects(host: HostObjects): string {
  return documents(
    redisService(host),
    ...serviceObjects(host),
    ...(host.mode === undefined ? [] : [redisDestination(host)]),
  );
}

export function redisService({
  name,
  settings,
  rules,
  faults,
  annotations,
}: Pick<HostObjects, 'name' | 'settings' | 'rules' | 'faults' | 'annotations'>): object {
  return {
    apiVersion: 'redis.aeraki.io/v1alpha1',
    kind: 'RedisService',
    metadata: {
      name,
      namespace: NAMESPACE,
      ...(annotations === undefined
        ? {}
        : {
            annotations: Object.fromEntries(
              Object.entries(annotations).map(([key, value]) => [`redpilot.dev/${key}`, value]),
            ),
          }),
    },
    spec: {
      host: [name],
      ...(settings === undefined ? {} : { settings }),
      redis: rules ?? [{ route: { host: name } }],
      ...(faults === undefined ? {} : { faults }),
    },
  };
}

/** The Service, and an EndpointSlice for each port that an endpoint has. */
export function serviceObjects({
  name,
  port,
  endpoints,
}: Pick<HostObjects, 'name' | 'port' | 'endpoints'>): object[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: NAMESPACE },
      spec: { ports: [{ name: 'redis', port }] },
    },
    ...endpoints.map((endpoint, index) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `${name}-${index}`,
        namespace: NAMESPACE,
        labels: { 'kubernetes.io/service-name': name },
      },
      addressType: 'IPv4',
      ports: [{ name: 'redis', port: endpoint }],
      endpoints: [{ addresses: ['127.0.0.1'], targetRef: { kind: 'Pod', name: `${name}-${index}` } }],
    })),
  ];
}

export function redisDestination({
  name: host,
  mode,
  upstreamAuth,
  connectTimeout,
  tcp = connectTimeout === undefined ? undefined : { connectTimeout },
  tls,
}: Pick<HostObjects, 'name' | 'mode' | 'upstreamAuth' | 'tcp' | 'tls'> & {
  readonly connectTimeout?: string;
}): object {
  const redis = { mode, ...(upstreamAuth === undefined ? {} : { auth: upstreamAuth }) };
  return {
    apiVersion: 'redis.aeraki.io/v1alpha1',
    kind: 'RedisDestination',
    metadata: { name: host, namespace: NAMESPACE },
    spec: {
      host,
      trafficPolicy: {
        connectionPool: { redis, ...(tcp === undefined ? {} : { tcp }) },
        ...(tls === undefined ? {} : { tls }),
      },
    },
  };
}

export function secret(name: string, values: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: NAMESPACE }, stringData: values };
}

/** One whose listener asks for a password. */
export function withPassword(password: string): string {
  const settings = { auth: { plain: { password } } };
  return documents(redisService({ name: 'a.localhost', settings })).replace('name: a.localhost', 'name: a');
}

export function documents(...objects: readonly object[]): string {
  return objects.map((object) => stringify(object)).join('---\n');
}
