/**
 * What is watched.
 */
import type { Kind } from '../../api/objects.ts';

export interface WatchedKind {
  readonly kind: Exclude<Kind, 'Secret'>;
  readonly apiVersion: string;
  readonly plural: string;
  /** `--selector` narrows our own kinds; what they refer to carries labels of its own. */
  readonly isSelected: boolean;
}

export const WATCHED_KINDS: readonly WatchedKind[] = [
  { kind: 'RedisService', apiVersion: 'redis.aeraki.io/v1alpha1', plural: 'redisservices', isSelected: true },
  {
    kind: 'RedisDestination',
    apiVersion: 'redis.aeraki.io/v1alpha1',
    plural: 'redisdestinations',
    isSelected: true,
  },
  { kind: 'Service', apiVersion: 'v1', plural: 'services', isSelected: false },
  { kind: 'EndpointSlice', apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices', isSelected: false },
];

/** Only in Istio's mode: elsewhere nobody says what they are. */
export const ISTIO_KINDS: readonly WatchedKind[] = [
  {
    kind: 'ServiceEntry',
    apiVersion: 'networking.istio.io/v1',
    plural: 'serviceentries',
    isSelected: false,
  },
];

/** `namespace` undefined: of all namespaces. */
export function collectionPath(apiVersion: string, plural: string, namespace: string | undefined): string {
  const root = apiVersion.includes('/') ? '/apis' : '/api';
  const inNamespace = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `${root}/${apiVersion}${inNamespace}/${plural}`;
}
