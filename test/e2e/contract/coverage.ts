/** What the cases covered, and which exceptions were called for. */
import { allCommands } from '../../../src/redis/command-table.ts';
import { ROUTES, SETTINGS, type Case } from './cases.ts';
import { compareWithEnvoy, type Seen } from './compare.ts';
import { EXCEPTIONS, UNKNOWN_TO_ENVOY, exceptionOf } from './exceptions.ts';

const NO_EXCEPTION = { why: '', applies: () => true, ignores: [] } as const;

export interface Coverage {
  /** `GET REPLICA RESP3 mirror`, where no case was. */
  readonly missing: readonly string[];
  /** Exceptions without which nothing would differ. */
  readonly needless: readonly string[];
  readonly report: readonly string[];
}

export function coverageOf(cases: readonly Case[], seen: (each: Case) => Seen): Coverage {
  const covered = new Set<string>();
  const keyless = new Set<string>();
  const called = new Map<string, number>();
  let unknown = 0;
  let withoutKey = 0;
  for (const each of cases) {
    const { command, setting, route, keys } = each;
    // A connection that was closed without a word has shown nothing.
    if (seen(each).proxy.reply === '') continue;
    covered.add(cellOf(command.name, setting, route.kind));
    if (keys.length === 0) {
      keyless.add(command.name);
      withoutKey += 1;
    } else if (UNKNOWN_TO_ENVOY.has(command.name)) {
      unknown += 1;
    } else {
      const exception = exceptionOf(each);
      if (exception === undefined || compareWithEnvoy(each, seen(each), NO_EXCEPTION).length === 0) continue;
      called.set(exception.why, (called.get(exception.why) ?? 0) + 1);
    }
  }
  const cells = allCommands().flatMap(({ name }) =>
    [...SETTINGS.keys()].flatMap((setting) =>
      ROUTES.filter(({ kind }) => kind === 'catch-all' || !keyless.has(name)).map(({ kind }) =>
        cellOf(name, setting, kind),
      ),
    ),
  );
  const excepted = [...called.values()].reduce((sum, count) => sum + count, 0);
  const same = cases.length - withoutKey - unknown - excepted;
  return {
    missing: cells.filter((cell) => !covered.has(cell)),
    needless: EXCEPTIONS.map(({ why }) => why).filter((why) => !called.has(why)),
    report: [
      `${cases.length} cases; ${covered.size} of ${cells.length} cells of command x policy x protocol x route ` +
        `(${allCommands().length} commands; those without a key have one route)`,
      `the same through Envoy in everything: ${same}; unknown to Envoy: ${unknown}; without a key: ${withoutKey}`,
      ...[...called].map(([why, count]) => `${count}: ${why}`),
    ],
  };
}

function cellOf(name: string, setting: number, route: string): string {
  const { policy, protocol } = SETTINGS[setting]!;
  return `${name} ${policy} ${protocol} ${route}`;
}
