/**
 * `redpilot bootstrap`: what an Envoy needs to start as a sidecar of this control plane.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Command, InvalidArgumentError } from 'commander';

import { bootstrap } from '../envoy/bootstrap.ts';
import type { HostAndPort } from '../xds/index.ts';
import { parseAddress, parseBind } from './arguments.ts';

interface Options {
  readonly xdsAddress: HostAndPort;
  readonly nodeId: string;
  readonly namespace?: string;
  readonly hosts?: readonly string[];
  readonly bind?: string;
  readonly zone?: string;
  readonly drainSeconds: number;
  readonly delta: boolean;
  readonly envoyAdmin?: HostAndPort;
  readonly file?: string;
}

const ADVISED_DRAIN_SECONDS = 30;

export function bootstrapCommand(): Command {
  return new Command('bootstrap')
    .description('write an Envoy bootstrap (JSON) that connects to the control plane')
    .requiredOption('--xds-address <host:port>', 'the control plane, as this Envoy reaches it', parseAddress)
    .requiredOption('--node-id <id>', 'the name of this Envoy', parseNodeId)
    .option(
      '--namespace <namespace>',
      'whose clients this Envoy serves; without it everything is served from files',
      parseNamespace,
    )
    .option('--hosts <host,...>', 'only these hosts', parseHosts)
    .option(
      '--bind <address|auto>',
      "where this Envoy's listeners listen; without it as the control plane says",
      parseBind,
    )
    .option('--zone <zone>', 'the zone this Envoy is in, for the annotation redpilot.dev/zone-affinity')
    .option(
      '--drain-seconds <n>',
      'how long old connections are drained after a change',
      parseSeconds,
      ADVISED_DRAIN_SECONDS,
    )
    .option('--delta', 'delta xDS instead of the state of the world', false)
    .option(
      '--envoy-admin <host:port>',
      "Envoy's own admin; without it a Unix socket, out of the applications' reach",
      parseAddress,
    )
    .option('--file <path>', 'write it there instead of on standard output, where no shell can redirect it')
    .action((options: Options) => {
      const { envoyAdmin, file, ...rest } = options;
      const admin = envoyAdmin ?? { socketPath: adminSocketPath(options.nodeId) };
      const document = bootstrap({ ...rest, admin });
      const text = `${JSON.stringify(document, undefined, 2)}\n`;
      if (file === undefined) process.stdout.write(text);
      else writeTo(file, text);
      const where =
        'socketPath' in admin ? `unix socket ${admin.socketPath}` : `http://${admin.host}:${admin.port}`;
      process.stderr.write(
        `run it with: envoy --config-path ${file ?? 'FILE'} ${drainFlags(options.drainSeconds).join(' ')} --use-dynamic-base-id\n` +
          `Envoy's admin: ${where}\n${drainAdvice(options.drainSeconds)}`,
      );
    });
}

/** A gradual drain picks a connection at a reply, by chance: in a short time few are picked, and the rest is cut. */
function drainAdvice(seconds: number): string {
  if (seconds >= ADVISED_DRAIN_SECONDS) return '';
  return `note: a drain of ${seconds} s reconnects all clients within that time, and cuts those in use; ${ADVISED_DRAIN_SECONDS} s or more spreads it\n`;
}

/**
 * Gradual: an immediate drain reconnects every client at once. `--use-dynamic-base-id` lets several Envoys run on one
 * machine.
 */
function drainFlags(seconds: number): readonly string[] {
  return ['--drain-time-s', String(seconds), '--drain-strategy', 'gradual'];
}

function writeTo(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`${file} can't be written (${code}); give another with --file`, { cause: error });
  }
}

/** A Unix socket's path may have 107 bytes (Linux); one name for one node, several nodes on one machine. */
function adminSocketPath(nodeId: string): string {
  const name = nodeId.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 64);
  return join(tmpdir(), `redpilot-${name}.sock`);
}

function parseNodeId(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('write a name, for example the name of the pod');
  return text;
}

/** As Kubernetes names them (RFC 1123, a label). */
function parseNamespace(text: string): string {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text))
    throw new InvalidArgumentError('write the name of a namespace: lower case letters, digits and -');
  return text;
}

function parseHosts(text: string): readonly string[] {
  const hosts = text.split(',').map((host) => host.trim());
  if (hosts.includes('')) throw new InvalidArgumentError('write hosts with a comma between them');
  return hosts;
}

function parseSeconds(text: string): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('write a whole number of seconds above 0');
  return Number(text);
}
