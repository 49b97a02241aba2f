/**
 * `redpilot xds get`: what the control plane serves, asked as an Envoy asks.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { stringify } from 'yaml';

import { ONLOOKER } from '../envoy/node.ts';
import { redacted } from '../envoy/redaction.ts';
import { CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE } from '../envoy/resource.ts';
import { readCertificates } from '../tls/certificate-files.ts';
import { type HostAndPort, getResources, type ShownResponse, XdsClient } from '../xds/index.ts';
import { addressOption, collect, parseNamespace, parseRemote } from './arguments.ts';
import { addTlsOptions, tlsFiles, type TlsArguments } from './tls-arguments.ts';

interface Options extends TlsArguments {
  readonly xdsAddress: HostAndPort;
  readonly type: keyof typeof TYPES;
  readonly name?: readonly string[];
  readonly nodeId: string;
  readonly namespace?: string;
  readonly delta: boolean;
  readonly nack?: string;
  readonly watch: boolean;
  readonly showSecrets: boolean;
  readonly output: 'yaml' | 'json';
}

const TYPES = { clusters: CLUSTER_TYPE, endpoints: ENDPOINTS_TYPE, listeners: LISTENER_TYPE } as const;

const LIMIT_MS = 10_000;
const CONNECT_LIMIT_MS = 5_000;

export function xdsCommand(): Command {
  return new Command('xds').description('talk to a control plane as an Envoy does').addCommand(getCommand());
}

/** Without words it would be no refusal. */
function parseWords(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('write the words of the refusal');
  return text;
}

function getCommand(): Command {
  const command = new Command('get')
    .description('print the resources of one type')
    .addOption(
      addressOption('--xds-address <host:port>', 'the control plane', '127.0.0.1:18000', parseRemote),
    )
    .addOption(
      new Option('--type <type>', 'which resources').choices(Object.keys(TYPES)).makeOptionMandatory(),
    )
    .option('--name <name>', 'only this one; may be repeated (default: all)', collect)
    .option('--node-id <id>', 'as which node', 'redpilot-xds-get')
    .option(
      '--namespace <namespace>',
      "the node's namespace (with TLS that of the certificate)",
      parseNamespace,
    )
    .option('--delta', 'delta xDS instead of the state of the world', false)
    .option('--nack <message>', 'refuse what comes, with these words', parseWords)
    .option('--watch', 'go on, and print each further response', false)
    .option('--show-secrets', 'print passwords as they are; without it the output shows [redacted]', false)
    .addOption(
      new Option('-o, --output <format>', 'format of the output').choices(['yaml', 'json']).default('yaml'),
    );
  return addTlsOptions(command, 'this client', 'the control plane').action(
    async (options: Options, command: Command) => {
      const files = tlsFiles(command, options);
      const client = new XdsClient({
        address: options.xdsAddress,
        tls: files && (await readCertificates(files)),
        connectLimitMs: CONNECT_LIMIT_MS,
        variant: options.delta ? 'delta' : 'state of the world',
        node: { id: options.nodeId, namespace: options.namespace, userAgent: ONLOOKER },
      });
      const { name: names = [], nack: refusal, watch } = options;
      const timer = watch ? undefined : setTimeout(() => client.close(), LIMIT_MS);
      let received = 0;
      try {
        for await (const response of getResources(client, TYPES[options.type], { names, refusal, watch })) {
          if (received > 0 && options.output === 'yaml') process.stdout.write('---\n');
          received += 1;
          process.stdout.write(formatted(response, options));
        }
      } finally {
        clearTimeout(timer);
      }
      if (received > 0 || watch) return;
      throw new Error(
        `no answer within ${LIMIT_MS / 1_000} s: there is nothing of that type and name for this node; --watch waits for it`,
      );
    },
  );
}

function formatted(response: ShownResponse, { output, showSecrets }: Options): string {
  const { version, resources, removed } = response;
  const document = { version, resources, ...(removed.length > 0 ? { removed } : {}) };
  const shown = showSecrets ? document : redacted(document);
  return output === 'json' ? `${JSON.stringify(shown)}\n` : stringify(shown);
}
