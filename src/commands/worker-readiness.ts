/**
 * What keeps several workers from being ready, of each of them: what one says alone looks as if the others were well.
 */
import type { WorkerReport } from './workers.ts';

/** undefined: all are. `reports`: of those that answer, by number. */
export function workersNotReady(
  count: number,
  reports: ReadonlyMap<number, Pick<WorkerReport, 'notReady'>>,
): string | undefined {
  const byProblem = new Map<string, number[]>();
  for (let number = 1; number <= count; number++) {
    const report = reports.get(number);
    const problem = report === undefined ? 'does not answer' : report.notReady;
    if (problem !== undefined) byProblem.set(problem, [...(byProblem.get(problem) ?? []), number]);
  }
  if (byProblem.size === 0) return undefined;
  return [...byProblem].map(([problem, numbers]) => `${nameOf(numbers, count)}: ${problem}`).join('; ');
}

function nameOf(numbers: readonly number[], count: number): string {
  if (numbers.length === 1) return `worker ${numbers[0]}`;
  return numbers.length === count ? 'all workers' : `workers ${numbers.join(', ')}`;
}
