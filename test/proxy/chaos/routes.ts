/**
 * Keys with prefixes that have routes of their own. Whichever servers a route leads to, and whether or not it is there,
 * they have one truth: its keys are the same without the prefix.
 */
import type { PrefixRoute, Route } from '../../../src/plan/routing-plan.ts';
import type { Random } from './random.ts';

export const REMOVED = 'one:';
export const KEPT = 'two:';
const PREFIXES = ['', REMOVED, KEPT] as const;

const PREFIXED = /^(?:one:|two:)(?=\{)/;
/** Not those of channels. */
const NAMED = /^\{[cx][^{}]*\}/;

/** As clients call it: all keys of one tag have the same prefix. */
export function named(key: string): string {
  const [tag] = NAMED.exec(key) ?? [];
  if (tag === undefined) return key;
  let sum = 0;
  for (const character of tag) sum += character.charCodeAt(0);
  return PREFIXES[sum % PREFIXES.length]! + key;
}

/** The key itself. */
export const unnamed = (word: string): string => word.replace(PREFIXED, '');

export const isRemovedLater = (word: string): boolean => word.startsWith(`${REMOVED}{`);

/** To which of several sides each leads; undefined: the route is not there, and the catch-all has its keys. */
export class Ways {
  catchAll = 0;
  removed: number | undefined = 1;
  kept: number | undefined = 1;

  change(random: Random): void {
    const side = (): number => random.below(2);
    const maybe = (): number | undefined => (random.chance(0.3) ? undefined : side());
    if (random.chance(0.3)) this.catchAll = side();
    else if (random.chance(0.5)) this.removed = maybe();
    else this.kept = maybe();
  }

  prefixes(sides: readonly Route[]): readonly PrefixRoute[] {
    const route = (prefix: string, side: number | undefined, removePrefix: boolean): readonly PrefixRoute[] =>
      side === undefined ? [] : [{ ...sides[side]!, prefix, removePrefix }];
    return [...route(REMOVED, this.removed, true), ...route(KEPT, this.kept, false)];
  }
}
