/**
 * A control plane on a folder of its own, and an Envoy connected to it.
 */
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { pino } from 'pino';

import { startControlPlane, type ControlPlane } from '../../src/commands/control-plane.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { startEnvoy, type EnvoyProcess } from '../../src/demo/envoy-process.ts';
import { bootstrap, type BootstrapOptions } from '../../src/envoy/bootstrap.ts';
import { startNameServer } from './name-server.ts';

/** What a test or a benchmark leaves behind is stopped when it ends. */
export interface Ending {
  after(end: () => Promise<void> | void): void;
}

export interface SidecarOptions {
  readonly envoy: string;
  /** File names and what stands in them at the start. */
  readonly files: Readonly<Record<string, string>>;
  readonly delta?: boolean;
  /** Clusters and listeners from services of their own instead of the aggregated one. */
  readonly perType?: boolean;
  readonly drainSeconds?: number;
  readonly drainStrategy?: 'immediate' | 'gradual';
  readonly nodeId?: string;
  /** What else the bootstrap says. */
  readonly node?: Partial<Pick<BootstrapOptions, 'namespace' | 'hosts' | 'bind' | 'zone'>>;
}

export interface Sidecar {
  /** The one that runs now. */
  readonly controlPlane: ControlPlane;
  /** Ends it and starts another on the same address, which remembers nothing. */
  restartControlPlane(): Promise<void>;
  readonly envoy: EnvoyProcess;
  /** Writes a file as an editor does: to a new one, then over the old one. */
  write(file: string, text: string): Promise<void>;
  remove(file: string): Promise<void>;
}

const LOCAL = { host: '127.0.0.1', port: 0 };

/** Stopped when the test ends. */
export async function startSidecar(t: Ending, options: SidecarOptions): Promise<Sidecar> {
  const { envoy: binary, files, delta = true, drainSeconds = 3, drainStrategy = 'immediate' } = options;
  const folder = await temporaryFolder('objects');
  t.after(() => removeFolder(folder));
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
  const start = (xdsPort: number): Promise<ControlPlane> =>
    startControlPlane({
      configPaths: [folder],
      xdsAddress: { host: '127.0.0.1', port: xdsPort },
      adminAddress: LOCAL,
      bindAddress: '127.0.0.1',
      insecure: false,
      probe: true,
      log: pino({ level: 'silent' }),
    });
  let controlPlane = await start(0);
  t.after(() => controlPlane.close());
  const xdsPort = Number(controlPlane.xdsAddress.split(':')[1]);
  const envoy = await connectEnvoy(t, {
    ...options,
    envoy: binary,
    xdsAddress: controlPlane.xdsAddress,
    drainSeconds,
    drainStrategy,
    delta,
  });
  return {
    get controlPlane() {
      return controlPlane;
    },
    restartControlPlane: async () => {
      await controlPlane.close();
      controlPlane = await start(xdsPort);
    },
    envoy,
    write: async (file, text) => {
      const path = join(folder, file);
      // A name that is not read, until it is complete.
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    },
    remove: (file) => rm(join(folder, file)),
  };
}

export interface ConnectedEnvoyOptions extends Omit<SidecarOptions, 'files'> {
  /** `HOST:PORT` */
  readonly xdsAddress: string;
  readonly namespace?: string;
}

/** An Envoy that gets its configuration from there. Stopped when the test ends. */
export async function connectEnvoy(t: Ending, options: ConnectedEnvoyOptions): Promise<EnvoyProcess> {
  const { drainSeconds = 3, drainStrategy = 'immediate', delta = true, nodeId = 'test' } = options;
  const nameServer = await startNameServer(t);
  const envoy = await startEnvoy({
    binary: options.envoy,
    args: ['--drain-time-s', String(drainSeconds), '--drain-strategy', drainStrategy],
    configuration: (socketPath) => {
      const document = bootstrap({
        xdsAddress: { host: '127.0.0.1', port: Number(options.xdsAddress.split(':')[1]) },
        nodeId,
        namespace: options.namespace,
        ...options.node,
        drainSeconds,
        delta,
        admin: { socketPath },
      });
      return { ...withoutDns(nameServer), ...(options.perType === true ? withoutAds(document) : document) };
    },
  });
  t.after(() => envoy.stop());
  return envoy;
}

function withoutAds(document: object): object {
  const { dynamic_resources: resources, ...rest } = document as {
    readonly dynamic_resources: { readonly ads_config: object };
  };
  const source = { api_config_source: resources.ads_config, resource_api_version: 'V3' };
  return { ...rest, dynamic_resources: { cds_config: source, lds_config: source } };
}

/** Names resolve to nothing: an Envoy under test asks nobody beyond this machine. */
export function withoutDns(port = 1): object {
  return {
    typed_dns_resolver_config: {
      name: 'envoy.network.dns_resolver.cares',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
        resolvers: [{ socket_address: { address: '127.0.0.1', port_value: port } }],
        dns_resolver_options: { no_default_search_domain: true },
      },
    },
  };
}

/** RESP2, no retries: a test wants to see each failure. Closed when the test ends. */
export function connect(
  t: Ending,
  port: number,
  options: {
    readonly host?: string;
    readonly maxRetriesPerRequest?: number;
    readonly username?: string;
    readonly password?: string;
    readonly enableReadyCheck?: boolean;
  } = {},
): Redis {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    protocol: 2,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 50,
    ...options,
  });
  client.on('error', () => {});
  t.after(() => client.disconnect());
  return client;
}

/** What a command answers, or the text of its error. */
export async function answerOf(command: Promise<unknown>): Promise<unknown> {
  return await command.catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
}
