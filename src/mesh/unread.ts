/**
 * RedisServices that can't be read have no plan; what they had stays.
 */
import type { UnreadFilter } from '../istio/envoy-filters.ts';
import { ownerOf, type PresentFilter } from './manifest.ts';

/** What is known of the RedisServices at the API server, `NAMESPACE/NAME` each. */
export interface KnownObjects {
  /** Those that have a plan, be it an empty one. */
  readonly planned: ReadonlySet<string>;
  /** uid of each, bad ones too. */
  readonly owners: ReadonlyMap<string, string>;
}

export function unreadFilters(
  present: Iterable<readonly [key: string, filter: PresentFilter]>,
  { owners, planned }: KnownObjects,
): readonly UnreadFilter[] {
  return [...present].flatMap(([, filter]) => {
    const owner = ownerOf(filter) ?? '';
    if (!owners.has(owner) || planned.has(owner)) return [];
    const [namespace = '', name = ''] = owner.split('/');
    const { metadata } = filter;
    const ref = { namespace: metadata.namespace ?? '', name: metadata.name };
    return [{ ...ref, owner: { kind: 'RedisService', namespace, name } }];
  });
}
