/**
 * `redpilot bootstrap`: what an Envoy needs to start as a sidecar of this control plane.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { Command, InvalidArgumentError } from 'commander';

import { secretFiles, type SidecarTls } from '../envoy/bootstrap-tls.ts';
import { bootstrap } from '../envoy/bootstrap.ts';
import type { HostAndPort } from '../xds/index.ts';
import { parseRemote, parseBind, parseHosts, parseNamespace, parseNodeId, parseZone } from './arguments.ts';
import { addTlsOptions, tlsFiles, type TlsArguments } from './tls-arguments.ts';

interface Options extends TlsArguments {
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
  const command = new Command('bootstrap')
    .description('write an Envoy bootstrap (JSON) that connects to the control plane')
    .requiredOption('--xds-address <host:port>', 'the control plane, as this Envoy reaches it', parseRemote)
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
    .option(
      '--zone <zone>',
      'the zone this Envoy is in, for the annotation redpilot.dev/zone-affinity',
      parseZone,
    )
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
      parseRemote,
    )
    .option('--file <path>', 'write it there instead of on standard output; needed with TLS');
  return addTlsOptions(
    command,
    'this Envoy, which reads it again when it changes',
    'the control plane',
  ).action((options: Options) => {
    const { envoyAdmin, file, ...rest } = options;
    const admin = envoyAdmin ?? { socketPath: adminSocketPath(options.nodeId) };
    const tls = sidecarTls(command, options);
    const document = bootstrap({ ...rest, admin, tls });
    if (file === undefined) process.stdout.write(text(document));
    else writeTo(file, text(document));
    for (const [path, secret] of tls ? secretFiles(tls, options.xdsAddress.host) : [])
      writeTo(path, text(secret));
    const where =
      'socketPath' in admin ? `unix socket ${admin.socketPath}` : `http://${admin.host}:${admin.port}`;
    process.stderr.write(
      `run it with: envoy --config-path ${file === undefined ? 'FILE' : quoted(file)} ${drainFlags(options.drainSeconds).join(' ')} --use-dynamic-base-id\n` +
        `Envoy's admin: ${where}\n${drainAdvice(options.drainSeconds)}`,
    );
  });
}

/** Paths that hold wherever Envoy is started. */
function sidecarTls(command: Command, options: Options): SidecarTls | undefined {
  const files = tlsFiles(command, options);
  if (files === undefined) return undefined;
  if (options.file === undefined) {
    command.error(
      'with TLS the bootstrap is three files: say where with --file; the others are put beside it',
    );
  }
  const { ca, cert, key } = files;
  return {
    files: { ca: resolve(ca), cert: resolve(cert), key: resolve(key) },
    secretsPrefix: resolve(options.file).replace(/\.json$/, ''),
  };
}

function text(document: object): string {
  return `${JSON.stringify(document, undefined, 2)}\n`;
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

/** As a shell takes it for one word. */
function quoted(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
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

function parseSeconds(text: string): number {
  if (!/^\d{1,6}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('write a whole number of seconds, 1 to 999999');
  return Number(text);
}
