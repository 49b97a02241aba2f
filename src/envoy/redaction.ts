/**
 * Envoy messages as JSON without what may be secret in them.
 */

/** The values of a DataSource: passwords, user names, keys and certificates alike. */
const VALUES = new Set(['inline_string', 'inline_bytes']);

export function redacted(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(redacted);
  if (typeof json !== 'object' || json === null) return json;
  const entries = Object.entries(json);
  return Object.fromEntries(
    entries.map(([key, value]) => [key, VALUES.has(key) ? '[redacted]' : redacted(value)]),
  );
}
