/**
 * EnvoyFilters as they stand at the API server: whose they are, and whether they say what is wanted.
 */
import { isDeepStrictEqual } from 'node:util';

import {
  MANAGED_BY,
  OWNER_ANNOTATION,
  type EnvoyFilterBody,
  type EnvoyFilterDocument,
} from '../istio/envoy-filter.ts';
import type { RawObject } from '../sources/kubernetes/reflector.ts';

export const FIELD_MANAGER = 'redpilot';

/** Which of several control planes wrote it: the namespace of its Lease. */
const CONTROL_PLANE = 'redpilot.dev/control-plane';

interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

/** What of an EnvoyFilter is looked at. */
export interface PresentFilter extends RawObject {
  readonly metadata: RawObject['metadata'] & {
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly OwnerReference[];
    readonly managedFields?: readonly { readonly manager?: string; readonly operation?: string }[];
  };
  readonly spec?: unknown;
}

export interface Manifest extends Omit<EnvoyFilterBody, 'metadata'> {
  readonly metadata: EnvoyFilterBody['metadata'] & { readonly ownerReferences: readonly OwnerReference[] };
}

/** `ownerUid`: of the RedisService as it is now; undefined: it is gone. */
export function manifestOf(
  { owner, namespace, body, outlivesOwner }: EnvoyFilterDocument,
  ownerUid: string | undefined,
  controlPlane: string,
): Manifest {
  const { kind, name } = owner;
  // Kubernetes removes at once what names an owner that is gone, or that its own namespace does not have.
  const isOwned = ownerUid !== undefined && outlivesOwner !== true && owner.namespace === namespace;
  const apiVersion = 'redis.aeraki.io/v1alpha1';
  return {
    ...body,
    metadata: {
      ...body.metadata,
      labels: { ...body.metadata.labels, [CONTROL_PLANE]: controlPlane },
      ownerReferences: isOwned ? [{ apiVersion, kind, name, uid: ownerUid, controller: true }] : [],
    },
  };
}

/** Finds those of one control plane. */
export function selectorOf(controlPlane: string): string {
  return [...Object.entries(MANAGED_BY), [CONTROL_PLANE, controlPlane]]
    .map(([label, value]) => `${label}=${value}`)
    .join(',');
}

/** Labels can be copied; who applied it is noted by the API server. */
export function isOurs({ metadata }: PresentFilter, controlPlane: string): boolean {
  const { labels = {}, managedFields = [] } = metadata;
  const marks = { ...MANAGED_BY, [CONTROL_PLANE]: controlPlane };
  return (
    Object.entries(marks).every(([label, value]) => labels[label] === value) &&
    managedFields.some(({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply')
  );
}

/** `NAMESPACE/NAME` of the RedisService. */
export function ownerOf({ metadata }: PresentFilter): string | undefined {
  return metadata.annotations?.[OWNER_ANNOTATION];
}

/** Others may have added labels and annotations of their own. */
export function says(present: PresentFilter, { metadata, spec }: Manifest): boolean {
  const { labels = {}, annotations = {}, ownerReferences = [] } = present.metadata;
  const has = (there: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean =>
    Object.entries(wanted).every(([key, value]) => there[key] === value);
  return (
    has(labels, metadata.labels) &&
    has(annotations, metadata.annotations) &&
    isDeepStrictEqual(ownerReferences, metadata.ownerReferences) &&
    isDeepStrictEqual(present.spec, spec)
  );
}
