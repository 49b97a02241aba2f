/** A control plane that follows a test's API server with the rights of the manifests. */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';

import {
  startControlPlane,
  type ControlPlane,
  type ControlPlaneOptions,
} from '../../src/commands/control-plane.ts';
import type { KubernetesOptions } from '../../src/commands/kubernetes.ts';
import { loadCredentials } from '../../src/sources/kubernetes/credentials.ts';
import type { KubeCluster } from './kube-cluster.ts';
import type { Ending } from './sidecar.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };

export interface ObservedControlPlane extends ControlPlane {
  /** What it logs, a line each. */
  readonly lines: readonly string[];
}

/** Closed when the test ends. */
export async function startKubeControlPlane(
  t: Ending,
  kube: KubeCluster,
  options: Partial<KubernetesOptions> & {
    /** What stands before the API server. */
    readonly server?: string;
    readonly xdsPort?: number;
    readonly probe?: boolean;
  } & Pick<ControlPlaneOptions, 'allowBind' | 'defaultExportTo'> = {},
): Promise<ObservedControlPlane> {
  const { server, xdsPort = 0, probe = false, allowBind, defaultExportTo, ...kubernetes } = options;
  const replica = { namespace: 'redpilot', identity: `test-${randomBytes(3).toString('hex')}` };
  const lines: string[] = [];
  const config = loadCredentials({ KUBECONFIG: await kube.kubeconfig('controller', server) });
  const controlPlane = await startControlPlane({
    kubernetes: { config, namespaces: [], replica, ...kubernetes },
    xdsAddress: { ...LOCAL, port: xdsPort },
    adminAddress: LOCAL,
    bindAddress: '127.0.0.1',
    insecure: false,
    probe,
    allowBind,
    defaultExportTo,
    log: pino({ level: 'info' }, { write: (line: string) => lines.push(line) }),
  });
  t.after(() => controlPlane.close());
  return { ...controlPlane, lines };
}
