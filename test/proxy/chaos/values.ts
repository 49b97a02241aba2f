/**
 * Values of all lengths, many just as long as the proxy's blocks and what is read at once.
 */
import type { Random } from './random.ts';

const EDGES = [1_024, 16_384, 65_536, 262_144];
/** What a command, or a reply, has beside it. */
const AROUND = 100;

/** What follows a short value. */
export function padding(
  random: Random,
  { share, most }: { readonly share: number; readonly most: number },
): string {
  if (!random.chance(share)) return '';
  const edge = random.pick(EDGES.filter((each) => each <= most)) ?? 0;
  return 'x'.repeat(random.chance(0.5) ? random.below(most) : edge - AROUND + random.below(2 * AROUND));
}
