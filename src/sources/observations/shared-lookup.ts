/**
 * Names that are looked up for many connections at once.
 *
 * One that no name server answers for takes ten seconds and more, and a thread (see cli.ts). Asked anew for each attempt to
 * connect, a few such names would keep every other one waiting.
 */
import dns, { type LookupAddress, type LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** Then the answer may be lost, and a second question bring it sooner. */
const SILENT_MS = 1_000;
const MOST_AT_ONCE = 2;

type Told = Parameters<LookupFunction>[2];

interface Asked {
  readonly since: number;
  readonly told: Told[];
}

/** `ask`: as node:dns has it. */
export function sharedLookup(
  ask: (name: string, options: LookupOptions, told: Told) => void = asNodeDoes,
  now: () => number = () => performance.now(),
): LookupFunction {
  const underWay = new Map<string, Asked[]>();
  return (name, options, told) => {
    const key = `${name} ${JSON.stringify(options)}`;
    const before = underWay.get(key) ?? [];
    const last = before.at(-1);
    if (last !== undefined && (before.length >= MOST_AT_ONCE || now() - last.since < SILENT_MS)) {
      last.told.push(told);
      return;
    }
    const asked: Asked = { since: now(), told: [told] };
    underWay.set(key, [...before, asked]);
    ask(name, options, (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family) => {
      const others = (underWay.get(key) ?? []).filter((each) => each !== asked);
      if (others.length > 0) underWay.set(key, others);
      else underWay.delete(key);
      for (const tell of asked.told) tell(error, address, family);
    });
  };
}

export const lookupOnce = sharedLookup();

/** By the function that is there then: a test puts another one in its place. */
function asNodeDoes(name: string, options: LookupOptions, told: Told): void {
  dns.lookup(name, options, told);
}
