/**
 * The objects that a Kubernetes cluster would have, for a Redis Cluster on this machine.
 */
import { stringify } from 'yaml';

const NAMESPACE = 'redis';
const NAME = 'redis-cluster';

/** The Service whose port is the listener's, its EndpointSlice with one seed, and how the host is to be reached. */
export function localObjects(listenerPort: number, seedPort: number): string {
  const metadata = { name: NAME, namespace: NAMESPACE };
  const port = { name: 'redis' };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { ports: [{ ...port, port: listenerPort }] },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, name: `${NAME}-1`, labels: { 'kubernetes.io/service-name': NAME } },
      addressType: 'IPv4',
      ports: [{ ...port, port: seedPort }],
      endpoints: [{ addresses: ['127.0.0.1'] }],
    },
    // Said here, so that the sample may name any policy from the start: MASTER alone does not tell a Redis Cluster.
    {
      apiVersion: 'redis.aeraki.io/v1alpha1',
      kind: 'RedisDestination',
      metadata,
      spec: {
        host: `${NAME}.${NAMESPACE}.svc.cluster.local`,
        trafficPolicy: { connectionPool: { redis: { mode: 'CLUSTER' } } },
      },
    },
  ]
    .map((object) => stringify(object))
    .join('---\n');
}
