import type { ReadPolicy } from '../api/objects.ts';

/** Who answers reads beside a primary that is no Redis Cluster, by preference; ANY has one group of all. */
export function readGroups<T>(
  policy: Exclude<ReadPolicy, 'MASTER'>,
  primary: T,
  replicas: T,
): readonly (readonly T[])[] {
  switch (policy) {
    case 'PREFER_MASTER':
      return [[primary], [replicas]];
    case 'REPLICA':
      return [[replicas]];
    case 'PREFER_REPLICA':
      return [[replicas], [primary]];
    case 'ANY':
      return [[primary, replicas]];
  }
}
