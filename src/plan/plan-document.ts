/**
 * A RoutingPlan as plain data, for people and for golden files.
 */
import { SecretText } from '../api/secret-text.ts';
import type { RoutingPlan } from './routing-plan.ts';

/** Leaves out what is undefined, false or an empty list; secrets are written as `write` says. */
export function planDocument(plan: RoutingPlan, write: (secret: SecretText) => string): unknown {
  return plain(
    {
      listeners: plan.listeners.map(({ listener, bind }) => {
        const { originCreatedMs: _age, ...shown } = listener;
        return { ...shown, bind };
      }),
      upstreams: [...plan.upstreams.values()],
    },
    write,
  );
}

function plain(value: unknown, write: (secret: SecretText) => string): unknown {
  if (value instanceof SecretText) return write(value);
  if (Array.isArray(value)) return value.map((item) => plain(item, write));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => !isQuiet(field))
      .map(([key, field]) => [key, plain(field, write)]),
  );
}

function isQuiet(value: unknown): boolean {
  return value === undefined || value === false || (Array.isArray(value) && value.length === 0);
}
