/**
 * Golden cases of Istio's mode: a folder each; the EnvoyFilters that become of `input.yaml` stand beside it.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import { stringify } from 'yaml';

import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import type { ApiObject } from '../../src/api/objects.ts';
import { translateToIstio } from '../../src/commands/translate-istio.ts';
import type { EnvoyFilterBody } from '../../src/istio/envoy-filter.ts';
import type { Write } from '../../src/envoy/secret-place.ts';
import { readFiles } from '../../src/sources/files/read.ts';

export const ISTIO_CASES = fileURLToPath(new URL('istio', import.meta.url));

export const ISTIO_OUTPUTS = ['istio.yaml', 'diagnostics.txt'] as const;

export type IstioOutputs = Readonly<Record<(typeof ISTIO_OUTPUTS)[number], string>>;

export function istioCaseNames(): readonly string[] {
  return readdirSync(ISTIO_CASES).sort();
}

export function istioInputOf(name: string): string {
  return `${ISTIO_CASES}/${name}/input.yaml`;
}

/** What the administrator allows: `# --istio-namespaces shop` in the input. */
function allowedIn(text: string): readonly string[] {
  return /^# --istio-namespaces (.+)$/m.exec(text)?.[1]?.split(',') ?? [];
}

export async function filtersOfCase(
  name: string,
  write: Write,
  options: { readonly secretsDirectory?: string } = {},
): Promise<{
  readonly objects: readonly ApiObject[];
  readonly bodies: readonly EnvoyFilterBody[];
  readonly diagnostics: string;
}> {
  const input = istioInputOf(name);
  const { objects, diagnostics: ofFiles } = await readFiles([input]);
  const allowedNamespaces = allowedIn(readFileSync(input, 'utf8'));
  const { bodies, diagnostics } = translateToIstio(objects, {}, { allowedNamespaces, write, ...options });
  const lines = [...ofFiles, ...diagnostics].map((diagnostic) =>
    formatDiagnosticLine(diagnostic).replaceAll(input, basename(input)),
  );
  return { objects, bodies, diagnostics: lines.map((line) => `${line}\n`).join('') };
}

export async function translateIstioCase(name: string): Promise<IstioOutputs> {
  const { bodies, diagnostics } = await filtersOfCase(name, String);
  const documents = bodies.map((body) => stringify(body, { aliasDuplicateObjects: false }));
  return { 'istio.yaml': documents.join('---\n'), 'diagnostics.txt': diagnostics };
}

export function expectedIstioOutputs(name: string): IstioOutputs {
  const read = (file: string): string => {
    const path = `${ISTIO_CASES}/${name}/${file}`;
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };
  return { 'istio.yaml': read('istio.yaml'), 'diagnostics.txt': read('diagnostics.txt') };
}
