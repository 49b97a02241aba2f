/**
 * The name that was probably meant.
 */
import { distance } from 'fastest-levenshtein';

/** The same but for upper and lower case, `-` and `_`; else the nearest within a third of its letters. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_]/g, '');
  const same = candidates.find((candidate) => plain(candidate) === plain(word));
  if (same !== undefined) return same;
  const [best] = candidates
    .map((candidate) => ({ candidate, away: mistakes(plain(word), plain(candidate)) }))
    .filter(({ candidate, away }) => away <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.away - b.away);
  return best?.candidate;
}

/** Letters in another order (`sepc`, `hsot`) are one mistake of the fingers, not two. */
function mistakes(word: string, candidate: string): number {
  const letters = (text: string): string => text.split('').sort().join('');
  return letters(word) === letters(candidate) ? 1 : distance(word, candidate);
}
