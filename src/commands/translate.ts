/**
 * `redpilot translate`: what becomes of the objects, as a plan, as xDS resources or as a static Envoy configuration.
 */
import { Command, Option } from 'commander';
import { stringify } from 'yaml';

import { formatDiagnosticLine } from '../api/diagnostic.ts';
import type { SecretText } from '../api/secret-text.ts';
import { resourcesAsJson, staticConfiguration } from '../envoy/static-configuration.ts';
import { planDocument } from '../plan/plan-document.ts';
import type { RoutingPlan } from '../plan/routing-plan.ts';
import { readFiles } from '../sources/files/read.ts';
import { collect } from './arguments.ts';
import { translateObjects } from './translate-objects.ts';
import { sortByPlace } from './validate.ts';

interface TranslateOptions {
  readonly config: readonly string[];
  readonly to: keyof typeof FORMS;
  readonly output: 'yaml' | 'json';
  readonly showSecrets: boolean;
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
        'plan: what happens to each command; xds: resources; envoy: a static configuration',
      )
        .choices(Object.keys(FORMS))
        .default('envoy'),
    )
    .addOption(
      new Option('-o, --output <format>', 'format of the output').choices(['yaml', 'json']).default('yaml'),
    )
    .option('--show-secrets', 'write passwords as they are; without it the output shows [redacted]', false)
    .action(async (options: TranslateOptions) => {
      const { objects, diagnostics: ofFiles } = await readFiles(options.config);
      const { plan, diagnostics } = translateObjects(objects);
      const all = sortByPlace([...ofFiles, ...diagnostics]);
      for (const diagnostic of all) process.stderr.write(`${formatDiagnosticLine(diagnostic)}\n`);
      const write: Write = options.showSecrets ? (secret) => secret.reveal() : String;
      const document = FORMS[options.to](plan, write);
      const text = options.output === 'json' ? JSON.stringify(document, undefined, 2) : stringify(document);
      process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
      if (all.some(({ severity }) => severity === 'error')) process.exitCode = 1;
    });
}
