/**
 * Which API server, and as whom: what KUBECONFIG names, else what a pod finds in its file system.
 */
import { delimiter } from 'node:path';

import { KubeConfig } from '@kubernetes/client-node';

/** Fails with one line. */
export function loadCredentials(environment: NodeJS.ProcessEnv = process.env): KubeConfig {
  const config = new KubeConfig();
  const stated = environment['KUBECONFIG'];
  try {
    if (stated !== undefined && stated !== '') loadFiles(config, stated.split(delimiter));
    else if (environment['KUBERNETES_SERVICE_HOST'] !== undefined) config.loadFromCluster();
    else throw new Error('set KUBECONFIG to the path of a kubeconfig, or run redpilot in a pod');
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Error(`no credentials for Kubernetes: ${why}`, { cause: error });
  }
  if (config.getCurrentCluster() === null) {
    const context = config.getCurrentContext();
    throw new Error(
      `no credentials for Kubernetes: the kubeconfig has no cluster for its context "${context}"; correct current-context`,
    );
  }
  return config;
}

/** Several are one, as for kubectl: of two entries of one name the first counts. */
function loadFiles(config: KubeConfig, files: readonly string[]): void {
  const [first = '', ...others] = files.filter((file) => file !== '');
  loadFile(config, first);
  for (const file of others) {
    const other = new KubeConfig();
    loadFile(other, file);
    config.mergeConfig(other, true);
  }
}

function loadFile(config: KubeConfig, file: string): void {
  try {
    config.loadFromFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === undefined ? 'is not a kubeconfig' : `can't be read (${code})`;
    throw new Error(`${file} ${why}; correct the file, or KUBECONFIG, which names it`, { cause: error });
  }
}
