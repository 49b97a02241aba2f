/**
 * What a Redis Cluster looks like, asked of some nodes or of all seeds.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { addressOf } from '../../api/host-port.ts';
import type { ClusterUpstream } from '../../plan/routing-plan.ts';
import { Clue } from '../../sources/observations/clue.ts';
import { REFUSED_LOGIN } from '../wire/handshake-refused.ts';
import { ANSWER_MS, Conversation } from './conversation.ts';
import { LOGIN_REMEDY } from './login-log.ts';
import { nodeOptionsOf, type NodeOptions } from './node-options.ts';
import { betterTopology, isSameCluster, parseTopology, type NodePlace, type Topology } from './topology.ts';

const NODES_ASKED = 3;
const NO_SLOTS = 'no slot has an owner; form the cluster first, as redis-cli --cluster create does';

/** Of what Redis refuses to say. */
const REMEDIES: readonly (readonly [refusal: RegExp, remedy: string])[] = [
  [/cluster support disabled/, 'give --mode proxy, or mode: PROXY in its RedisDestination'],
  [REFUSED_LOGIN, LOGIN_REMEDY],
  [/^NOPERM/, 'let its user run CLUSTER SLOTS and CLUSTER INFO'],
];

function withRemedy(refusal: string): string {
  const remedy = REMEDIES.find(([which]) => which.test(refusal))?.[1];
  return remedy === undefined ? refusal : `${refusal.replace(/\.$/, '')}; ${remedy}`;
}

export interface Found {
  readonly found: Topology | undefined;
  /** Why nobody says it; empty where somebody does. */
  readonly problem: string;
}

/** The nodes that a plan names, which tell of all others. */
export class Seeds {
  /** In the order of the plan, whoever is the first to fail: what stays the same is told once. */
  readonly #seeds: readonly { readonly options: NodeOptions; readonly clue: Clue }[];

  constructor(plan: ClusterUpstream) {
    this.#seeds = plan.seeds.map(({ address, port }) => {
      const options = { ...nodeOptionsOf(plan, true), host: address, port };
      return { options, clue: new Clue(options) };
    });
  }

  /** `isPatient`: nobody waits for the answer so much that it could not be found out why there is none. */
  async ask(isPatient: boolean): Promise<Found> {
    const problems = this.#seeds.map(() => '');
    // A connection of its own each time: the name is resolved again.
    const asked = this.#seeds.map((seed) => ({ ...seed, conversation: new Conversation(seed.options) }));
    let found: Topology | undefined;
    const answers = asked.map(async ({ options, clue, conversation }, index) => {
      let why = 'it does not know itself';
      const topology = await topologyFrom(conversation, options, (failure) => {
        why = failure;
      });
      conversation.close();
      if (topology === undefined) {
        const looked = clue.look(why);
        if (isPatient) await looked;
        problems[index] = `${addressOf(options.host, options.port)}: ${clue.about(why)}`;
      } else {
        clue.answered();
      }
      found = betterTopology(found, topology);
      return topology;
    });
    // Others may know better, but who can't be connected to is not waited for.
    const isEnough = Promise.any(
      answers.map(async (answer) => (await answer) ?? Promise.reject(new Error())),
    ).then(
      () => sleep(ANSWER_MS, undefined, { ref: false }),
      () => {},
    );
    await Promise.race([Promise.all(answers), isEnough]);
    for (const { conversation } of asked) conversation.close();
    return { found, problem: found === undefined ? [...new Set(problems)].join('; ') : '' };
  }
}

/**
 * Of nodes that are known, several: they need not agree. What is not of the same cluster as `before` does not count, and who
 * told that one is asked again: each may name all nodes in its own way, and for what is named anew connections are.
 */
export async function topologyFromSome(
  known: readonly { readonly node: { readonly options: NodePlace }; readonly conversation: Conversation }[],
  before: Topology | undefined,
): Promise<Topology | undefined> {
  const asked = known
    .map((each) => [each.node.options === before?.toldBy ? -1 : Math.random(), each] as const)
    .sort(([a], [b]) => a - b)
    .slice(0, NODES_ASKED)
    .map(([, each]) => each);
  const answers = asked.map(async ({ node, conversation }) => {
    const topology = await topologyFrom(conversation, node.options);
    const isOther = topology !== undefined && before !== undefined && !isSameCluster(topology, before);
    return isOther ? undefined : topology;
  });
  return (await Promise.all(answers)).reduce(betterTopology, undefined);
}

async function topologyFrom(
  conversation: Conversation,
  asked: NodePlace,
  failed: (why: string) => void = () => {},
): Promise<Topology | undefined> {
  const answer = await conversation.ask([
    ['CLUSTER', 'SLOTS'],
    ['CLUSTER', 'INFO'],
  ]);
  if ('failure' in answer) {
    failed(withRemedy(answer.why));
    return undefined;
  }
  const [slots, info] = answer.values;
  if (Array.isArray(slots) && slots.length === 0) failed(NO_SLOTS);
  if (slots instanceof Error) failed(withRemedy(slots.message));
  return parseTopology(slots, info, asked);
}
