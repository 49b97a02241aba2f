/** Objects for a real API server, which takes no loopback address in an EndpointSlice. */
import { stringify } from 'yaml';

/** The Service of a Redis Cluster on loopback, and where its nodes are. */
export function clusterHost(
  namespace: string,
  name: string,
  port: number,
  seeds: readonly number[],
  auth?: unknown,
): string {
  return documents(
    service(namespace, name, port),
    destination(namespace, name, {
      mode: 'CLUSTER',
      discoveryEndpoints: seeds.map((seed) => `127.0.0.1:${seed}`),
      ...(auth === undefined ? {} : { auth }),
    }),
  );
}

export function service(namespace: string, name: string, port: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { ports: [{ name: 'redis', port }] },
  };
}

export function destination(namespace: string, name: string, redis: object): object {
  return {
    apiVersion: 'redis.aeraki.io/v1alpha1',
    kind: 'RedisDestination',
    metadata: { name, namespace },
    spec: { host: name, trafficPolicy: { connectionPool: { redis } } },
  };
}

export function redisService(namespace: string, name: string, spec: object = {}): object {
  return {
    apiVersion: 'redis.aeraki.io/v1alpha1',
    kind: 'RedisService',
    metadata: { name, namespace },
    spec: { host: [name], redis: [{ route: { host: name } }], ...spec },
  };
}

export function secret(namespace: string, name: string, values: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: values };
}

export function documents(...objects: readonly object[]): string {
  return objects.map((object) => stringify(object)).join('---\n');
}
