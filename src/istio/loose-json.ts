/**
 * JSON that may be of any form, read without an error: what is not as expected counts as absent.
 */
export type Json = Readonly<Record<string, unknown>>;

export function list(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(map) : [];
}

export function map(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
