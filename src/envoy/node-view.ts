/**
 * What a connected Envoy asks for in its node metadata, as `redpilot bootstrap` writes it there.
 */
import { hostKey } from '../api/host-name.ts';
import type { View } from '../plan/view.ts';

/** The names that `redpilot bootstrap` uses. */
export const NAMESPACE = 'redpilot.namespace';
export const HOSTS = 'redpilot.hosts';
export const BIND = 'redpilot.bind';
export const DRAIN = 'redpilot.drain';

export interface ViewDefaults {
  readonly bindAddress: string;
  readonly clusterDomain: string;
}

/** Anything that is not of the expected form counts as absent. */
export function viewOfNode(metadata: Readonly<Record<string, unknown>>, defaults: ViewDefaults): View {
  const namespace = text(metadata[NAMESPACE]);
  const hosts = metadata[HOSTS];
  return {
    namespace,
    hosts: Array.isArray(hosts)
      ? hosts
          .filter((host) => typeof host === 'string')
          // A listener is named by its Service, or by the DNS name as it is written.
          .flatMap((host) => [
            host.toLowerCase().replace(/\.$/, ''),
            hostKey(host, namespace ?? 'default', defaults.clusterDomain),
          ])
          .sort()
      : undefined,
    bindAddress: text(metadata[BIND]) ?? defaults.bindAddress,
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
