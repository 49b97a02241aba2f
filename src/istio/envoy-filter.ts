/**
 * An EnvoyFilter: what tells Istio's own sidecars to carry out a RedisService.
 */
import type { ObjectRef } from '../api/diagnostic.ts';

/** Plain JSON as the API server takes it; equal content gives equal JSON text, whatever order objects came in. */
export interface EnvoyFilterBody {
  readonly apiVersion: 'networking.istio.io/v1alpha3';
  readonly kind: 'EnvoyFilter';
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    /** By them it is found again, whoever wrote it. */
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly priority: number;
    readonly configPatches: readonly ConfigPatch[];
  };
}

export interface ConfigPatch {
  readonly applyTo: 'CLUSTER' | 'NETWORK_FILTER' | 'LISTENER';
  readonly match: {
    readonly context: 'SIDECAR_OUTBOUND';
    readonly listener?: ListenerMatch;
  };
  readonly patch: {
    readonly operation: 'ADD' | 'REPLACE';
    /** An Envoy message as proto3 JSON. */
    readonly value: object;
  };
}

export interface ListenerMatch {
  readonly name?: string;
  readonly portNumber?: number;
  readonly filterChain: { readonly filter: { readonly name: string } };
}

export interface FilterRef {
  readonly namespace: string;
  readonly name: string;
}

export interface EnvoyFilterDocument extends FilterRef {
  /** The RedisService that it is of; in the same namespace it can be its owner, from another it can't. */
  readonly owner: ObjectRef;
  /** It stays a while when the owner goes. */
  readonly outlivesOwner?: true;
  /** May hold passwords: for the API server only. */
  readonly body: EnvoyFilterBody;
}

/** Every EnvoyFilter of ours has it. */
export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'redpilot' } as const;

/** `NAMESPACE/NAME` of the RedisService, since a label's value is too short for it. */
export const OWNER_ANNOTATION = 'redpilot.dev/owner';
