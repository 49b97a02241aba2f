/**
 * spec.faults of a RedisService: delays and errors that are made on purpose.
 */
import { COMMAND_NAMES } from './command-names.ts';
import type { Fields } from './fields.ts';
import type { Fault } from './objects.ts';
import type { Report } from './report.ts';
import { parsePercentage } from './route-rule.ts';
import { nearest } from './suggestion.ts';

/** In the order of their numbers. */
const TYPES: readonly Fault['type'][] = ['DELAY', 'ERROR'];

export function parseFaults(spec: Fields, report: Report): readonly Fault[] {
  const faults = spec.maps('faults').map((fields) => parseFault(fields, report));
  warnAboveAll(faults, report);
  return faults;
}

function parseFault(fields: Fields, report: Report): Fault {
  const stated = fields.choice('type', 'a type of fault', TYPES);
  // DELAY is the API's own default.
  const type = stated ?? 'DELAY';
  const percentage = parsePercentage(fields);
  const delayMs = fields.durationMs('delay');
  const isTypeKnown = stated !== undefined || !fields.has('type');
  if (isTypeKnown && type === 'DELAY' && !fields.has('delay')) {
    fields.invalid('delay', 'is missing; write how long, for example 500ms, or type ERROR');
  }
  const commands = parseCommands(fields, report);
  fields.done({ value: 'percentage' });
  return { type, percentage, delayMs, commands };
}

function parseCommands(fields: Fields, report: Report): readonly string[] {
  const first = new Map<string, number>();
  for (const { text, path } of fields.texts('commands')) {
    const name = text.toLowerCase();
    // What stands behind a command's name may be a password: `AUTH …`.
    const [word = '', ...others] = text.trim().split(/\s+/);
    const shown = others.length === 0 ? `"${text}"` : `"${word} …"`;
    const index = Number(path.at(-1));
    const before = first.get(name);
    if (before !== undefined) {
      report.add('error', 'Duplicate', path, `${shown} is already item ${before} of the list; remove one`);
      continue;
    }
    first.set(name, index);
    // A module's commands have a dot in their names, and nobody has a list of them all.
    if (COMMAND_NAMES.has(name) || /^[a-z0-9_-]+\.[a-z0-9._-]+$/.test(name)) continue;
    const meant = nearest(word, [...COMMAND_NAMES])?.toUpperCase();
    const remedy = meant === undefined ? 'write one of Redis, for example GET' : `write ${meant}`;
    report.invalid(path, `${shown} is not a command; ${remedy}`);
  }
  return [...first.keys()];
}

/** One draw decides which fault of a command strikes, its own before the general ones: what is above 100 in sum never does. */
function warnAboveAll(faults: readonly Fault[], report: Report): void {
  const named = new Set(faults.flatMap(({ commands }) => commands));
  const numbered = faults.map((fault, index) => ({ ...fault, index }));
  const general = numbered.filter(({ commands }) => commands.length === 0);
  for (const command of [...named, undefined]) {
    const own = numbered.filter(({ commands }) => command !== undefined && commands.includes(command));
    let sum = 0;
    for (const { percentage, index } of [...own, ...general]) {
      sum += percentage;
      if (sum <= 100) continue;
      const what = command === undefined ? 'all commands' : command.toUpperCase();
      const message = `the faults of ${what} come to ${sum} % with this one, and what is above 100 never strikes; lower one of them`;
      report.add('warning', 'InvalidValue', ['spec', 'faults', index, 'percentage'], message);
      return;
    }
  }
}
