/**
 * `redpilot certs`: an authority and certificates for those who have none.
 */
import { Command, InvalidArgumentError } from 'commander';

import { ApiServer } from '../sources/kubernetes/api-server.ts';
import { thisReplica } from '../status/replica.ts';
import { validFor } from '../tls/authority.ts';
import { serverHostsIn, writeCertificates } from '../tls/certificate-folder.ts';
import { collect, parseNamespace } from './arguments.ts';
import { applySecrets, fetchAuthority, type Applied } from './certificate-secrets.ts';

interface Options {
  readonly out: string;
  readonly namespace?: readonly string[];
  readonly serverName?: readonly string[];
  readonly trustDomain: string;
  readonly days: number;
  readonly force: boolean;
  readonly kubernetes: boolean;
}

const HERE = ['localhost', '127.0.0.1', '::1'];
const CA_DAYS = 3_650;

export function certsCommand(): Command {
  return new Command('certs')
    .description('make a certificate authority, and certificates for the control plane and its Envoys')
    .requiredOption(
      '--out <folder>',
      'where to write them; an authority that is there is used again',
      parseFolder,
    )
    .option(
      '--namespace <namespace>',
      'a namespace whose Envoys get a certificate; may be repeated (default: default)',
      (text: string, before: readonly string[] | undefined) => collect(parseNamespace(text), before),
    )
    .option(
      '--server-name <name>',
      `DNS name or address under which Envoys reach the control plane; may be repeated (default: as it is called already, else ${HERE.join(', ')})`,
      (text: string, before: readonly string[] | undefined) => collect(parseHost(text), before),
    )
    .option('--trust-domain <domain>', 'the first part of SPIFFE names', parseTrustDomain, 'cluster.local')
    .option('--days <n>', 'how long the certificates are valid; the authority ten years', parseDays, 90)
    .option(
      '--force',
      'make certificates anew that are there; whoever watches the files takes the new ones',
      false,
    )
    .option(
      '--kubernetes',
      'put them into Secrets of the cluster too, beside an authority that is there already',
      false,
    )
    .action(async (options: Options) => {
      const secrets = options.kubernetes ? await secretsOfCluster() : undefined;
      await secrets?.fetchAuthority(options.out);
      const namespaces = [...new Set(options.namespace ?? ['default'])];
      const made = await writeCertificates(options.out, {
        serverHosts: options.serverName ?? (await serverHostsIn(options.out)) ?? HERE,
        namespaces,
        trustDomain: options.trustDomain,
        caValidity: validFor(CA_DAYS),
        validity: validFor(options.days),
        force: options.force,
      });
      const applied = await secrets?.applySecrets(options.out, namespaces);
      for (const { path, what } of [...made, ...(applied?.made ?? [])])
        process.stdout.write(`${path}: ${what}\n`);
      for (const failure of applied?.failures ?? []) {
        process.stderr.write(`redpilot: ${failure}\n`);
        process.exitCode = 1;
      }
    });
}

interface ClusterSecrets {
  fetchAuthority(folder: string): Promise<void>;
  applySecrets(folder: string, namespaces: readonly string[]): Promise<Applied>;
}

/** Only who needs the Kubernetes library waits for it. */
async function secretsOfCluster(): Promise<ClusterSecrets> {
  const { loadCredentials } = await import('../sources/kubernetes/credentials.ts');
  const api = new ApiServer(loadCredentials());
  const { namespace } = thisReplica();
  return {
    fetchAuthority: (folder) => fetchAuthority(api, namespace, folder),
    applySecrets: (folder, namespaces) => applySecrets(api, namespace, folder, namespaces),
  };
}

function parseFolder(text: string): string {
  if (text === '') throw new InvalidArgumentError('write the path of a folder');
  return text;
}

function parseHost(text: string): string {
  if (!/^[A-Za-z0-9:][-A-Za-z0-9.:]{0,252}$/.test(text))
    throw new InvalidArgumentError('write a DNS name or an address, for example redpilot.redpilot.svc');
  return text;
}

function parseTrustDomain(text: string): string {
  if (!/^[a-z0-9._-]{1,255}$/.test(text))
    throw new InvalidArgumentError(
      'write small letters, digits, dots and hyphens, for example cluster.local',
    );
  return text;
}

function parseDays(text: string): number {
  if (!/^\d{1,4}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('write a whole number of days, 1 to 9999');
  return Number(text);
}
