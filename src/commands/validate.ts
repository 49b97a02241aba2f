/**
 * `redpilot validate`: a line for each Diagnostic; connects to nothing.
 */
import type { BlockList } from 'node:net';

import { Command } from 'commander';

import { formatDiagnosticLine, type Diagnostic } from '../api/diagnostic.ts';
import { isStandIn } from '../api/refused-destination.ts';
import { readFiles } from '../sources/files/read.ts';
import { clusterDomainOption, collect, parseNetworks } from './arguments.ts';
import { nothingFound } from './nothing-found.ts';
import { translateObjects } from './translate-objects.ts';

interface ValidateOptions {
  readonly config?: readonly string[];
  readonly strict: boolean;
  readonly allowBind?: BlockList;
  readonly clusterDomain: string;
}

export function validateCommand(): Command {
  return new Command('validate')
    .description('say what is wrong with the objects in files, or worth knowing; connects to nothing')
    .argument('[path...]', 'file or folder of objects; - is standard input')
    .option('--config <path...>', 'the same, as serve, proxy and translate have it', collect)
    .option('--allow-bind <cidr,...>', 'as for serve', parseNetworks)
    .addOption(clusterDomainOption())
    .option('--strict', 'warnings count as errors', false)
    .addHelpText(
      'after',
      '\nstatus 0: no errors; 1: errors (with --strict warnings too), or no objects; 2: wrong call',
    )
    .action(
      async (
        given: readonly string[],
        { config = [], strict, ...options }: ValidateOptions,
        command: Command,
      ) => {
        const paths = [...given, ...config];
        if (paths.length === 0)
          command.error("error: missing argument 'path': name a file or folder of objects");
        const content = await readFiles(paths);
        const { objects, diagnostics: ofFiles } = content;
        const problem = nothingFound(paths, content);
        if (problem !== undefined) throw new Error(problem);
        const diagnostics = sortByPlace([...ofFiles, ...translateObjects(objects, options).diagnostics]);
        for (const diagnostic of diagnostics) process.stdout.write(`${formatDiagnosticLine(diagnostic)}\n`);
        const bad = strict ? ['error', 'warning'] : ['error'];
        if (diagnostics.some(({ severity }) => bad.includes(severity))) process.exitCode = 1;
        process.stderr.write(
          `${summary(objects.filter((object) => !isStandIn(object)).length, diagnostics)}\n`,
        );
      },
    );
}

/** In the order of files and lines; what has no place comes last, in the order it was found. */
export function sortByPlace(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return [...diagnostics].sort(({ position: a }, { position: b }) => {
    if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
    if (a.file !== b.file) return a.file < b.file ? -1 : 1;
    return a.line - b.line || a.column - b.column;
  });
}

function summary(objects: number, diagnostics: readonly Diagnostic[]): string {
  const counts = (['error', 'warning', 'note'] as const).map((severity) => {
    const count = diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
    return `${count} ${severity}${count === 1 ? '' : 's'}`;
  });
  return `${objects} object${objects === 1 ? '' : 's'}: ${counts.join(', ')}`;
}
