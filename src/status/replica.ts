/**
 * Who this replica is among those of its control plane.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

export interface Replica {
  /** Where the Lease and the replicas' reports are. */
  readonly namespace: string;
  /** Not the same after a restart. */
  readonly identity: string;
}

const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
const DEFAULT_NAMESPACE = 'redpilot';
/** What may be part of a ConfigMap's name. */
const ILLEGAL = /[^a-z0-9-]+/g;
const LONGEST_NAME = 60;

/** POD_NAMESPACE, else the pod's own, else `redpilot`; in a pod the host's name is the pod's. */
export function thisReplica(environment: NodeJS.ProcessEnv = process.env): Replica {
  const name = hostname().toLowerCase().replaceAll(ILLEGAL, '-').slice(0, LONGEST_NAME).replace(/^-+/, '');
  return {
    namespace: podNamespace(environment) ?? DEFAULT_NAMESPACE,
    identity: `${name}-${randomBytes(3).toString('hex')}`,
  };
}

/** undefined: not in a pod. */
export function podNamespace(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const stated = environment['POD_NAMESPACE'];
  if (stated !== undefined && stated !== '') return stated;
  try {
    return readFileSync(NAMESPACE_FILE, 'utf8').trim();
  } catch {
    return undefined;
  }
}
