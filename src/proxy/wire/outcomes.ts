/**
 * What became of clients' commands, by the way they are carried out. What was begun is counted, and what went wrong; what is
 * under way is looked for when somebody wants to know, and all the rest went well. So nothing is counted of a command that does.
 */
import { COUNTED_AS, allCommands, type Command } from '../../redis/command-table.ts';
import { REPLIES } from './encode.ts';
import type { Request } from './request.ts';

/** Commands that were begun, by their place in the table; the last: those that it lacks. */
export const commandCounts = new Float64Array(allCommands().length + 1);

const OUTCOMES = ['error', 'failed', 'abandoned'] as const;
type Outcome = 'ok' | (typeof OUTCOMES)[number];

/** A label is a place in it, twice, and 1 more where it reads. One more than there are: what is not counted. */
const counts = OUTCOMES.map(() => new Float64Array(COUNTED_AS.length + 1));
const [errors, failures, abandoned] = counts as [Float64Array, Float64Array, Float64Array];

/** Of requests that are part of a command whose label another request has. */
export const UNCOUNTED = 2 * COUNTED_AS.length;

/** Clients, each with what it waits for. */
interface Asker {
  awaited(tell: (request: Request) => void): void;
}

export const askers = new Set<Asker>();

const FAILURES: readonly Buffer[] = Object.values(REPLIES).filter((reply) => reply !== REPLIES.ok);

/** One that is looked at again later, and counts then; what its client has asked before may take long. */
export function countLater({ index }: Command): void {
  commandCounts[index]! -= 1;
}

export function countBegun({ index }: Command): void {
  commandCounts[index]! += 1;
}

/** One that the table lacks, and Redis as far as it can be asked. */
export function countUnknown(): number {
  commandCounts[allCommands().length]! += 1;
  return 2 * COUNTED_AS.indexOf('foreign');
}

/** Its client gets the error reply `bytes[start, end)`: Redis' own, or what Redis would say; or it says that we could not ask. */
export function countError(label: number, bytes: Uint8Array, start: number, end: number): void {
  const isOurs = FAILURES.some(
    (reply) => reply.length === end - start && reply.compare(bytes, start, end) === 0,
  );
  if (isOurs) countFailed(label);
  else errors[label >> 1]! += 1;
}

export function countFailed(label: number): void {
  failures[label >> 1]! += 1;
}

/** Its client goes without a reply. */
export function countAbandoned(label: number): void {
  abandoned[label >> 1]! += 1;
}

/** Nothing was done by the time its client was ended, which is told so, or went. */
export function countUndone(label: number, client: { readonly isEnding: boolean }): void {
  if (client.isEnding) countFailed(label);
  else countAbandoned(label);
}

/** Of commands that are over. */
export function outcomes(): readonly {
  readonly kind: string;
  readonly outcome: Outcome;
  readonly count: number;
}[] {
  const good = new Float64Array(COUNTED_AS.length + 1);
  for (const { label, index } of allCommands()) good[label >> 1]! += commandCounts[index]!;
  good[COUNTED_AS.indexOf('foreign')] = commandCounts[allCommands().length]!;
  for (const asker of askers) {
    asker.awaited(({ label }) => {
      good[label >> 1]! -= 1;
    });
  }
  return COUNTED_AS.flatMap((kind, at) => {
    const bad = OUTCOMES.map((outcome, which) => ({ kind, outcome, count: counts[which]![at]! }));
    const count = bad.reduce((left, each) => left - each.count, good[at]!);
    return [{ kind, outcome: 'ok' as const, count }, ...bad];
  });
}
