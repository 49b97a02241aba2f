/**
 * `redpilot status`: who is connected, and whether each has what it should.
 */
import { Command, Option } from 'commander';

import { formatAddress, syncTable, type NodeStatus } from '../xds/index.ts';
import { askAdmin } from '../admin/ask-admin.ts';
import type { HostAndPort } from '../xds/index.ts';
import { addressOption, parseRemote } from './arguments.ts';
import { addTlsOptions, tlsFiles, type TlsArguments } from './tls-arguments.ts';

interface Options extends TlsArguments {
  readonly adminAddress: HostAndPort;
  readonly output: 'table' | 'json';
}

export function statusCommand(): Command {
  const command = new Command('status')
    .description('show the Envoys and proxies that are connected, and what each has acknowledged or refused')
    .addOption(
      addressOption(
        '--admin-address <host:port>',
        "the control plane's admin",
        '127.0.0.1:19000',
        parseRemote,
      ),
    )
    .addOption(
      new Option('-o, --output <format>', 'format of the output').choices(['table', 'json']).default('table'),
    )
    .addHelpText(
      'after',
      '\nstatus 0: all have what they should; 1: one refused something, or nothing could be learnt',
    );
  return addTlsOptions(command, 'this client', 'an admin that is served with TLS').action(
    async (options: Options, command: Command) => {
      const body = await askAdmin(options.adminAddress, '/debug/syncz', tlsFiles(command, options));
      const nodes = nodesOf(body);
      if (nodes === undefined)
        throw new Error(
          `what answers at ${formatAddress(options.adminAddress)} is no control plane's admin; give the address that serve has with --admin-address`,
        );
      process.stdout.write(options.output === 'json' ? body : syncTable(nodes));
      if (nodes.some(({ types }) => types.some(({ state }) => state === 'REJECTED'))) process.exitCode = 1;
    },
  );
}

/** undefined: another program's answer. */
function nodesOf(body: string): readonly NodeStatus[] | undefined {
  try {
    const nodes: unknown = JSON.parse(body);
    return Array.isArray(nodes) ? (nodes as readonly NodeStatus[]) : undefined;
  } catch {
    return undefined;
  }
}
