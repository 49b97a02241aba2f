/**
 * Who was there first: by creationTimestamp, then by namespace and name.
 */
export interface Aged {
  readonly createdMs: number;
  readonly namespace: string;
  readonly name: string;
}

/** Negative where `a` is the older one; zero only for the same object. */
export function compareAge(a: Aged, b: Aged): number {
  // Files carry no timestamp: Infinity - Infinity is NaN, so compare before subtracting.
  if (a.createdMs !== b.createdMs) return a.createdMs < b.createdMs ? -1 : 1;
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return 0;
}

/** Why the one goes before the other, as a clause. */
export function precedence(first: Aged, second: Aged): string {
  return first.createdMs < second.createdMs ? 'is older' : 'comes first by its name';
}

/** The oldest; undefined of none. */
export function oldest<T extends Aged>(candidates: readonly T[]): T | undefined {
  return candidates.reduce<T | undefined>(
    (first, next) => (first === undefined || compareAge(next, first) < 0 ? next : first),
    undefined,
  );
}
