/**
 * Wrong inputs: a file each, found by listing; what is said of it stands in one text file, word by word.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import { translateObjects } from '../../src/commands/translate-objects.ts';
import { readFiles } from '../../src/sources/files/read.ts';

const FOLDER = fileURLToPath(new URL('cases', import.meta.url));
export const EXPECTED = fileURLToPath(new URL('expected.txt', import.meta.url));

export function wrongInputs(): readonly string[] {
  return readdirSync(FOLDER).sort();
}

/** As `redpilot validate` prints it, with the file's name alone. */
export async function linesFor(file: string): Promise<readonly string[]> {
  const { objects, diagnostics } = await readFiles([`${FOLDER}/${file}`]);
  return [...diagnostics, ...translateObjects(objects).diagnostics]
    .filter(({ reason }) => reason !== 'ModeAssumed' && reason !== 'GuardInForce')
    .map((diagnostic) => formatDiagnosticLine(diagnostic).replaceAll(`${FOLDER}/`, ''));
}

/** By file, in the order they are said. */
export function expectedLines(): ReadonlyMap<string, readonly string[]> {
  const blocks = readFileSync(EXPECTED, 'utf8').trim().split('\n\n');
  return new Map(
    blocks.map((block) => {
      const [head = '', ...lines] = block.split('\n');
      return [head.replace(/^# /, ''), lines];
    }),
  );
}
