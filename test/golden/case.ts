/**
 * Golden cases: a folder each, found by listing; what becomes of `input.yaml` stands beside it.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import { stringify } from 'yaml';

import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import { translateObjects } from '../../src/commands/translate-objects.ts';
import { resourcesAsJson, staticConfiguration } from '../../src/envoy/static-configuration.ts';
import { planDocument } from '../../src/plan/plan-document.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { readFiles } from '../../src/sources/files/read.ts';

export const CASES = fileURLToPath(new URL('cases', import.meta.url));

export const SAMPLES = fileURLToPath(new URL('../../manifests/samples', import.meta.url));

/** Everything that a case pins; a file that is absent is an empty one. */
export const OUTPUTS = ['plan.yaml', 'xds.yaml', 'envoy.yaml', 'diagnostics.txt'] as const;

export type Outputs = Readonly<Record<(typeof OUTPUTS)[number], string>>;

export function caseNames(): readonly string[] {
  return readdirSync(CASES).sort();
}

/** What is read for a case: its input.yaml; before it, for a case `sample-NAME`, that sample. */
export function inputsOf(name: string): readonly string[] {
  const input = `${CASES}/${name}/input.yaml`;
  const sample = /^sample-(.+)$/.exec(name)?.[1];
  return sample === undefined ? [input] : [`${SAMPLES}/${sample}.yaml`, input];
}

export async function planOfCase(
  name: string,
): Promise<{ readonly plan: RoutingPlan; readonly diagnostics: string }> {
  const inputs = inputsOf(name);
  const { objects, diagnostics: ofFiles } = await readFiles(inputs);
  const { plan, diagnostics } = translateObjects(objects);
  const lines = [...ofFiles, ...diagnostics].map((diagnostic) =>
    inputs.reduce((line, input) => line.replaceAll(input, basename(input)), formatDiagnosticLine(diagnostic)),
  );
  return { plan, diagnostics: lines.map((line) => `${line}\n`).join('') };
}

export async function translateCase(name: string): Promise<Outputs> {
  const { plan, diagnostics } = await planOfCase(name);
  return {
    'plan.yaml': stringify(planDocument(plan, String)),
    'xds.yaml': stringify(resourcesAsJson(plan, String)),
    'envoy.yaml': stringify(staticConfiguration(plan, String)),
    'diagnostics.txt': diagnostics,
  };
}

export function expectedOutputs(name: string): Outputs {
  const read = (file: string): string => {
    const path = `${CASES}/${name}/${file}`;
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  return {
    'plan.yaml': read('plan.yaml'),
    'xds.yaml': read('xds.yaml'),
    'envoy.yaml': read('envoy.yaml'),
    'diagnostics.txt': read('diagnostics.txt'),
  };
}
