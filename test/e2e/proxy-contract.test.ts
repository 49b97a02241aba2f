/**
 * Generated commands, each to the matcher (where the plan's routing says it belongs, as which bytes), to our proxy and to a
 * real Envoy, from the same objects: the nodes that were reached, the bytes that they got and the reply are compared, and
 * the reply with the server's own. What Envoy does otherwise is a list, with reasons.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { KIND } from '../../src/redis/command-table.ts';
import { startArena, type Arena } from './contract/arena.ts';
import { SETTINGS, generateCases, type Case } from './contract/cases.ts';
import { PASSED_BY, compare, type Seen } from './contract/compare.ts';
import { coverageOf } from './contract/coverage.ts';
import { Matcher, type Match } from './contract/matcher.ts';
import { askServers, perform } from './contract/perform.ts';
import { encode } from './contract/wire.ts';
import { needBinaries } from './environment.ts';

/** Beyond one of each kind. */
const ODD_CASES = 2_000;

test('the proxy does what Envoy does, command by command', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  // The same cases at every run, so that a failure is of a change; REDPILOT_SEED=N for others.
  const seed = Number(process.env['REDPILOT_SEED'] ?? 1);
  const cases = generateCases(seed, ODD_CASES);
  const arena = await startArena(t, binaries);
  const matcher = new Matcher(arena.plan, arena.servers);
  const first = await carryOut(arena, matcher, cases);
  const found = cases.map((each) => [each, compare(each, first(each))] as const);
  // On a busy machine a node may look silent for a moment, and is passed by: that is tried once more.
  const doubtful = found.filter(([, texts]) => texts.some((text) => text.startsWith(PASSED_BY)));
  const again = await carryOut(
    arena,
    matcher,
    doubtful.map(([each]) => each),
  );
  const differences = found.flatMap(([each, texts]) => {
    const isDoubtful = texts.some((text) => text.startsWith(PASSED_BY));
    const final = isDoubtful ? compare(each, again(each)) : texts;
    return final.map((what) => ({ what, case: describe(each) }));
  });
  assert.deepEqual(differences.slice(0, 20), [], `${differences.length} differences`);
  const { missing, needless, report } = coverageOf(cases, first);
  for (const line of [...report, `tried once more: ${doubtful.length}`]) t.diagnostic(line);
  assert.deepEqual(missing, []);
  assert.deepEqual(needless, []);
});

async function carryOut(
  arena: Arena,
  matcher: Matcher,
  cases: readonly Case[],
): Promise<(each: Case) => Seen> {
  const matches = new Map(cases.map((each) => [each.id, matcher.match(each)]));
  const seeds = new Map<string, (readonly string[])[]>();
  for (const each of cases) {
    for (const words of each.seed) {
      const primary = matcher.primaryOf(each, words[1] === 'CREATE' ? words[2] : words[1]);
      const known = seeds.get(primary);
      if (known === undefined) seeds.set(primary, [words]);
      else known.push(words);
    }
  }
  await arena.refill(seeds);
  const ofEnvoy = await perform(arena, arena.envoy, cases);
  await arena.refill(seeds);
  const ofProxy = await perform(arena, arena.proxy, cases);
  await arena.refill(seeds);
  const asked = cases.flatMap((each) => {
    const found = serverFor(each, matches.get(each.id) ?? []);
    return found === undefined ? [] : [[each, found] as const];
  });
  const ofServers = await askServers(arena.servers, asked);
  return ({ id }) => ({
    matches: matches.get(id) ?? [],
    envoy: ofEnvoy.get(id) ?? { reply: '', arrivals: [] },
    proxy: ofProxy.get(id) ?? { reply: '', arrivals: [] },
    server: ofServers.get(id),
  });
}

/** Which server to ask for its own answer. */
function serverFor({ keys, command, words }: Case, [only, ...others]: readonly Match[]): Match | undefined {
  if (keys.length === 0) {
    // One server must not lose what is compared behind it.
    if (command.kind === KIND.refused || command.name.startsWith('flush')) return undefined;
    return { nodes: ['a0 primary'], bytes: encode(words), isMirrored: false };
  }
  return only === undefined || only.nodes.length === 0 || others.length > 0 ? undefined : only;
}

function describe({ id, setting, route, words }: Case): string {
  const { policy, protocol } = SETTINGS[setting]!;
  return `${id} ${policy} ${protocol} ${route.kind}: ${JSON.stringify(words)}`;
}
