/**
 * Keeps the identity of plan objects whose content did not change: what comes after compares references only.
 */
import { SecretText } from '../api/secret-text.ts';

/** `previous` where `next` says the same, else `next`. */
export function reuse<T>(previous: T | undefined, next: T): T {
  return previous !== undefined && sameContent(previous, next) ? previous : next;
}

/** Compares plain data: objects, arrays, secrets and scalars. */
export function sameContent(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof SecretText || b instanceof SecretText) {
    return a instanceof SecretText && b instanceof SecretText && a.equals(b);
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, at) => sameContent(item, b[at]))
    );
  }
  const left = Object.entries(a);
  const right = new Map<string, unknown>(Object.entries(b));
  return (
    left.length === right.size &&
    left.every(([key, value]) => right.has(key) && sameContent(value, right.get(key)))
  );
}
