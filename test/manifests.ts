/**
 * The manifests as the tests read them: their documents, pods and containers, and the calls of redpilot in these.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { parseAllDocuments } from 'yaml';

import { createProgram, loadCommands } from '../src/cli.ts';

const allCommands = await loadCommands();
export const root = fileURLToPath(new URL('../manifests/', import.meta.url));

interface Mount {
  readonly name: string;
  readonly mountPath: string;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly Mount[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly [probe: string]: unknown;
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly hostAliases?: readonly { readonly ip: string; readonly hostnames: readonly string[] }[];
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly secret?: { readonly secretName: string } }[];
}

export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  // Read field by field below.
  readonly spec?: unknown;
  readonly rules?: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

export function documentsOf(folder: string): readonly Manifest[] {
  const files = globSync('**/*.yaml', { cwd: `${root}${folder}` });
  return files.flatMap((file) =>
    parseAllDocuments(readFileSync(`${root}${folder}/${file}`, 'utf8')).map(
      (document) => document.toJS() as Manifest,
    ),
  );
}

export function find(documents: readonly Manifest[], kind: string, name: string): Manifest {
  const found = documents.find((document) => document.kind === kind && document.metadata.name === name);
  return found ?? assert.fail(`there is no ${kind} ${name}`);
}

/** What Prometheus is told of the pods of a Deployment. */
export function scrapingOf(documents: readonly Manifest[], name: string): Readonly<Record<string, string>> {
  const { spec } = find(documents, 'Deployment', name) as {
    readonly spec: {
      readonly template: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } };
    };
  };
  return spec.template.metadata.annotations ?? {};
}

export function podOf(documents: readonly Manifest[], name: string, kind = 'Deployment'): PodSpec {
  const { spec } = find(documents, kind, name) as {
    readonly spec: { readonly template: { readonly spec: PodSpec } };
  };
  return spec.template.spec;
}

export const containersOf = (pod: PodSpec): readonly Container[] => [
  ...(pod.initContainers ?? []),
  ...pod.containers,
];
export const containerOf = (pod: PodSpec, name: string): Container =>
  containersOf(pod).find((container) => container.name === name) ??
  assert.fail(`there is no container ${name}`);

/** The options of a call, without making it; fails where the command line would refuse it. */
export function optionsOf({ args = [] }: Container): Readonly<Record<string, unknown>> {
  const program = createProgram(allCommands);
  let options: Readonly<Record<string, unknown>> | undefined;
  for (const command of program.commands) {
    command.action(() => {
      options = command.opts();
    });
  }
  // A pod's own name and namespace stand there by the time it runs.
  program.parse(
    args.map((word) => word.replace('$(POD_NAME)', 'app-1').replace('$(POD_NAMESPACE)', 'app')),
    {
      from: 'user',
    },
  );
  return options ?? assert.fail(`${args.join(' ')} runs no command`);
}
