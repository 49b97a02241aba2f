/**
 * What there is of commands, refusals and clients in one schedule: where everything may happen, little of it happens together.
 */
import { Random } from '../chaos/random.ts';
import { BUSY } from '../servers.ts';
import { COMMANDS } from './command.ts';

/** But for the redirections. */
export const WORDS: Readonly<Record<string, string>> = {
  TRYAGAIN: '-TRYAGAIN Multiple keys request during rehashing of slot\r\n',
  LOADING: '-LOADING Redis is loading the dataset in memory\r\n',
  READONLY: "-READONLY You can't write against a read only replica.\r\n",
  CLUSTERDOWN: '-CLUSTERDOWN The cluster is down\r\n',
  UNSERVED: '-CLUSTERDOWN Hash slot not served\r\n',
  BUSY,
  MASTERDOWN: "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
};
const REFUSALS = [...Object.keys(WORDS), 'TRYAGAIN', 'MOVED', 'MOVED', 'MOVED', 'ASK', 'ASK', 'ASK'];

export interface Habits {
  readonly isPlain: boolean;
  readonly clients: number;
  readonly commands: readonly string[];
  readonly refusals: readonly string[];
  /** How many answers are refusals for no reason. */
  readonly refusing: number;
  /** How often the keys of a command come to the node that is asked for it right before it is carried out. */
  readonly coming: number;
  readonly opensAtOnce: boolean;
  /** How many actions end a turn. */
  readonly turns: number;
  /** Longer than what waits does, or shorter. */
  readonly opTimeoutMs: number;
}

export function habitsOf(seed: number): Habits {
  const random = new Random(seed);
  const some = (from: readonly string[], most: number): readonly string[] =>
    Array.from({ length: random.between(1, most) }, () => random.pick(from)!);
  return {
    isPlain: random.chance(0.3),
    clients: random.pick([1, 1, 1, 2, 3])!,
    commands: some(COMMANDS, 4),
    refusals: some(REFUSALS, 4),
    refusing: random.pick([0.2, 0.4, 0.6])!,
    coming: random.pick([0, 0.3, 0.8])!,
    opensAtOnce: random.chance(0.8),
    turns: random.pick([0.6, 0.9, 1])!,
    opTimeoutMs: random.pick([2_000, 500])!,
  };
}
