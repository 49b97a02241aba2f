/**
 * Waiting for a condition, with a deadline, and saying what was last seen.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** Thrown by `look`: it will never come true. */
export class Hopeless extends Error {}

/** Of a busy machine, too: what never comes true is only told later. */
const DEADLINE_MS = 30_000;

/** Resolves with the first value that `look` gives; undefined, false or a thrown error mean not yet. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  options: { readonly deadlineMs?: number; readonly everyMs?: number; readonly seen?: () => string } = {},
): Promise<T> {
  const { deadlineMs = DEADLINE_MS, everyMs = 20 } = options;
  const end = Date.now() + deadlineMs;
  let failure = '';
  for (;;) {
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value;
      failure = '';
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      failure = error instanceof Error ? error.message : String(error);
    }
    if (Date.now() > end) {
      const seen = [options.seen?.() ?? '', failure].filter((text) => text !== '').join('; ');
      throw new Error(
        `${what} did not come true within ${deadlineMs} ms${seen === '' ? '' : ` (last seen: ${seen})`}`,
      );
    }
    await sleep(everyMs);
  }
}
