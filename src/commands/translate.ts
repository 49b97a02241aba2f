/**
 * `redpilot translate`: what becomes of the objects, as a plan, as xDS resources or as a static Envoy configuration.
 */
import type { BlockList } from 'node:net';

import { Command, Option } from 'commander';
import { stringify } from 'yaml';

import { formatDiagnosticLine } from '../api/diagnostic.ts';
import type { SecretText } from '../api/secret-text.ts';
import { featuresUnknownTo, planWithout, tellUnsupported } from '../envoy/adapted-plan.ts';
import { resourcesAsJson, staticConfiguration } from '../envoy/static-configuration.ts';
import { hostsFile } from '../plan/hosts-file.ts';
import { planDocument } from '../plan/plan-document.ts';
import type { RoutingPlan } from '../plan/routing-plan.ts';
import { AUTO_BIND } from '../plan/view.ts';
import { readFiles } from '../sources/files/read.ts';
import { clusterDomainOption, collect, parseBind, parseNetworks, parseVersion } from './arguments.ts';
import { translateObjects } from './translate-objects.ts';
import { sortByPlace } from './validate.ts';

interface TranslateOptions {
  readonly config: readonly string[];
  readonly to: keyof typeof FORMS | 'hosts';
  readonly output: 'yaml' | 'json';
  readonly showSecrets: boolean;
  readonly bind?: string;
  readonly allowBind?: BlockList;
  readonly clusterDomain: string;
  readonly envoyVersion?: string;
}

type Write = (secret: SecretText) => string;

const FORMS = {
  plan: planDocument,
  xds: resourcesAsJson,
  envoy: staticConfiguration,
} satisfies Record<string, (plan: RoutingPlan, write: Write) => unknown>;

export function translateCommand(): Command {
  return new Command('translate')
    .description('show what becomes of the objects in files; connects to nothing')
    .requiredOption(
      '--config <path...>',
      'file or folder of objects; - is standard input; may be repeated',
      collect,
    )
    .addOption(
      new Option(
        '--to <form>',
        'plan: what happens to each command; xds: resources; envoy: a static configuration; ' +
          'hosts: where listeners listen, as lines of /etc/hosts',
      )
        .choices([...Object.keys(FORMS), 'hosts'])
        .default('envoy'),
    )
    .addOption(
      new Option('-o, --output <format>', 'format of the output').choices(['yaml', 'json']).default('yaml'),
    )
    .option(
      '--bind <address|auto>',
      'where listeners listen; auto: a loopback address of its own for each host (default: 127.0.0.1; for hosts auto)',
      parseBind,
    )
    .option('--allow-bind <cidr,...>', 'as for serve', parseNetworks)
    .addOption(clusterDomainOption())
    .option(
      '--envoy-version <version>',
      'leave out what an Envoy of that version lacks, and say so (default: the newest)',
      parseVersion,
    )
    .option('--show-secrets', 'write passwords as they are; without it the output shows [redacted]', false)
    .action(async (options: TranslateOptions) => {
      const { objects, diagnostics: ofFiles } = await readFiles(options.config);
      const isHosts = options.to === 'hosts';
      const translated = translateObjects(objects, {
        bindAddress: options.bind ?? (isHosts ? AUTO_BIND : '127.0.0.1'),
        allowBind: options.allowBind,
        clusterDomain: options.clusterDomain,
      });
      const plan = planWithout(translated.plan, featuresUnknownTo(options.envoyVersion));
      const diagnostics = tellUnsupported(
        translated.plan.listeners.map(({ listener }) => listener),
        options.envoyVersion,
      );
      const all = sortByPlace([...ofFiles, ...translated.diagnostics, ...diagnostics]);
      for (const diagnostic of all) process.stderr.write(`${formatDiagnosticLine(diagnostic)}\n`);
      process.stdout.write(
        options.to === 'hosts' ? hostsFile(plan, options.clusterDomain) : render(plan, options.to, options),
      );
      if (all.some(({ severity }) => severity === 'error')) process.exitCode = 1;
    });
}

function render(
  plan: RoutingPlan,
  form: keyof typeof FORMS,
  { output, showSecrets }: Pick<TranslateOptions, 'output' | 'showSecrets'>,
): string {
  const write: Write = showSecrets ? (secret) => secret.reveal() : String;
  const document = FORMS[form](plan, write);
  const text = output === 'json' ? JSON.stringify(document, undefined, 2) : stringify(document);
  return text.endsWith('\n') ? text : `${text}\n`;
}
