/**
 * `redpilot translate`: what becomes of the objects, as a plan, as xDS resources, as a static Envoy configuration or as
 * EnvoyFilters for Istio.
 */
import type { BlockList } from 'node:net';

import { Command, Option } from 'commander';
import { stringify } from 'yaml';

import { formatDiagnosticLine, type Diagnostic } from '../api/diagnostic.ts';
import type { ApiObject } from '../api/objects.ts';
import { featuresUnknownTo, planWithout, tellNewer, tellUnsupported } from '../envoy/adapted-plan.ts';
import type { Write } from '../envoy/secret-place.ts';
import { resourcesAsJson, staticConfiguration } from '../envoy/static-configuration.ts';
import type { EnvoyFilterBody } from '../istio/envoy-filter.ts';
import { hostsFile } from '../plan/hosts-file.ts';
import { planDocument } from '../plan/plan-document.ts';
import type { RoutingPlan } from '../plan/routing-plan.ts';
import { AUTO_BIND } from '../plan/view.ts';
import { keyOf } from '../sources/files/gather.ts';
import { readFiles } from '../sources/files/read.ts';
import {
  clusterDomainOption,
  collect,
  parseBind,
  parseExportTo,
  parseNetworks,
  parseVersion,
} from './arguments.ts';
import { nothingFound } from './nothing-found.ts';
import { translateToIstio } from './translate-istio.ts';
import { translateObjects } from './translate-objects.ts';
import { sortByPlace } from './validate.ts';

interface TranslateOptions {
  readonly config: readonly string[];
  readonly to: keyof typeof FORMS | 'hosts' | 'istio';
  readonly output: 'yaml' | 'json';
  readonly showSecrets: boolean;
  readonly bind?: string;
  readonly allowBind?: BlockList;
  readonly clusterDomain: string;
  readonly envoyVersion?: string;
  readonly istioNamespaces: readonly string[];
}

const FORMS = {
  plan: planDocument,
  xds: resourcesAsJson,
  envoy: staticConfiguration,
} satisfies Record<string, (plan: RoutingPlan, write: Write) => unknown>;

/** What not every form heeds: by which forms it is. */
const HEEDED_BY: Readonly<Record<string, readonly TranslateOptions['to'][]>> = {
  output: ['plan', 'xds', 'envoy', 'istio'],
  bind: ['plan', 'xds', 'envoy', 'hosts'],
  istioNamespaces: ['istio'],
  showSecrets: ['plan', 'xds', 'envoy', 'istio'],
};

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
          "hosts: where listeners listen, as lines of /etc/hosts; istio: EnvoyFilters for a mesh's sidecars",
      )
        .choices([...Object.keys(FORMS), 'hosts', 'istio'])
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
      'leave out what an Envoy of that version lacks, and say so: 1.36 to 1.40 (default: the newest; for istio 1.36)',
      parseVersion,
    )
    .option(
      '--istio-namespaces <namespace,...>',
      'with --to istio: whose sidecars objects of other namespaces may reach, too; * for the whole mesh',
      parseExportTo,
      [],
    )
    .option('--show-secrets', 'write passwords as they are; without it the output shows [redacted]', false)
    .action(async (options: TranslateOptions, command: Command) => {
      refuseUnheeded(command, options.to);
      const content = await readFiles(options.config);
      const { objects, diagnostics: ofObjects } = content;
      const problem = nothingFound(options.config, content);
      if (problem !== undefined) throw new Error(problem);
      const ofFiles = [...tellNewer(options.envoyVersion), ...ofObjects];
      if (options.to === 'istio') {
        const { bodies, diagnostics } = toIstio(objects, options);
        tell([...ofFiles, ...placed(diagnostics, objects)]);
        process.stdout.write(renderBodies(bodies, options.output));
        if (bodies.length === 0)
          process.stderr.write(
            'redpilot: no EnvoyFilter comes of these objects: Istio listens where the Services (or ServiceEntries) of their hosts say; give those too\n',
          );
        return;
      }
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
      tell([...ofFiles, ...translated.diagnostics, ...placed(diagnostics, objects)]);
      process.stdout.write(
        options.to === 'hosts' ? hostsFile(plan, options.clusterDomain) : render(plan, options.to, options),
      );
    });
}

/** Else whoever gives it would believe it. */
function refuseUnheeded(command: Command, to: TranslateOptions['to']): void {
  for (const option of command.options) {
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== 'cli' || HEEDED_BY[name]?.includes(to) !== false) continue;
    command.error(`error: ${option.long}: has no effect with --to ${to}; remove it`);
  }
}

function tell(diagnostics: readonly Diagnostic[]): void {
  for (const diagnostic of sortByPlace(diagnostics)) {
    process.stderr.write(`${formatDiagnosticLine(diagnostic)}\n`);
  }
  if (diagnostics.some(({ severity }) => severity === 'error')) process.exitCode = 1;
}

/** What an Envoy lacks is told of listeners, which do not know where their objects stand. */
function placed(diagnostics: readonly Diagnostic[], objects: readonly ApiObject[]): readonly Diagnostic[] {
  const byKey = new Map<string, ApiObject>(objects.map((object) => [keyOf(object), object]));
  return diagnostics.map((diagnostic) => {
    const { object: of, position, path } = diagnostic;
    if (of === undefined || position !== undefined) return diagnostic;
    const found = byKey.get(keyOf(of))?.locate(path);
    return found === undefined ? diagnostic : { ...diagnostic, position: found };
  });
}

function toIstio(
  objects: readonly ApiObject[],
  { allowBind, clusterDomain, envoyVersion, istioNamespaces, showSecrets }: TranslateOptions,
): ReturnType<typeof translateToIstio> {
  return translateToIstio(
    objects,
    { allowBind, clusterDomain },
    {
      allowedNamespaces: istioNamespaces,
      write: writing(showSecrets),
      ...(envoyVersion === undefined ? {} : { envoyVersion }),
    },
  );
}

/** As `kubectl apply` takes them. */
function renderBodies(bodies: readonly EnvoyFilterBody[], output: TranslateOptions['output']): string {
  if (output === 'yaml')
    return bodies.map((body) => stringify(body, { aliasDuplicateObjects: false })).join('---\n');
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: bodies }, undefined, 2)}\n`;
}

function writing(showSecrets: boolean): Write {
  return showSecrets ? (secret) => secret.reveal() : String;
}

function render(
  plan: RoutingPlan,
  form: keyof typeof FORMS,
  { output, showSecrets }: Pick<TranslateOptions, 'output' | 'showSecrets'>,
): string {
  const document = FORMS[form](plan, writing(showSecrets));
  const text = output === 'json' ? JSON.stringify(document, undefined, 2) : stringify(document);
  return text.endsWith('\n') ? text : `${text}\n`;
}
