/** The one list of what every client library does, plain and as a cluster client; in steps.json, since not all are in JavaScript. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type Words = readonly [name: string, ...args: string[]];

/** Set beside `do` only: `plainOnly`, where keys are of several slots, `unordered` what comes in no order. */
export type Step =
  | { readonly do: Words; readonly plainOnly?: boolean; readonly unordered?: boolean }
  | { readonly transaction: readonly Words[] }
  | { readonly pipeline: readonly Words[] }
  | { readonly blocking: Words; readonly meanwhile: Words }
  | { readonly subscribe: string; readonly message: string }
  | { readonly pattern: string; readonly channel: string; readonly message: string }
  | { readonly shard: string; readonly message: string }
  | { readonly fill: number; readonly prefix: string }
  | { readonly scan: string };

export const STEPS_FILE = fileURLToPath(new URL('steps.json', import.meta.url));

export const STEPS = JSON.parse(readFileSync(STEPS_FILE, 'utf8')) as readonly Step[];

/** What a library has to be able to do. */
export interface ClientLibrary {
  call(words: Words): Promise<unknown>;
  transaction(commands: readonly Words[]): Promise<unknown>;
  pipeline(commands: readonly Words[]): Promise<unknown>;
  /** On a connection of its own. */
  block(words: Words): Promise<unknown>;
  /** The first message of a subscription, published once that is made. */
  hear(
    kind: 'channel' | 'pattern' | 'shard',
    name: string,
    publish: () => Promise<unknown>,
  ): Promise<unknown>;
  /** All keys. */
  scan(pattern: string): Promise<readonly string[]>;
  close(): void;
}

/** Replies as JSON, step by step. */
export async function takeSteps(library: ClientLibrary, isCluster: boolean): Promise<readonly unknown[]> {
  const replies: unknown[] = [];
  for (const step of STEPS) {
    if ('do' in step && step.plainOnly === true && isCluster) continue;
    const reply = await withLimit(takeStep(library, step)).then(plain, (error: unknown) => ({
      error: error instanceof Error ? error.message : String(error),
    }));
    replies.push('do' in step && step.unordered === true ? sortedDeeply(reply) : reply);
  }
  library.close();
  return replies;
}

const LIMIT_MS = 20_000;

async function withLimit<T>(reply: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no reply')), LIMIT_MS);
  });
  return await Promise.race([reply, late]).finally(() => clearTimeout(timer));
}

async function takeStep(library: ClientLibrary, step: Step): Promise<unknown> {
  if ('do' in step) return await library.call(step.do);
  if ('transaction' in step) return await library.transaction(step.transaction);
  if ('pipeline' in step) return await library.pipeline(step.pipeline);
  if ('blocking' in step) {
    const [popped] = await Promise.all([library.block(step.blocking), library.call(step.meanwhile)]);
    return popped;
  }
  if ('subscribe' in step) {
    return await library.hear('channel', step.subscribe, () =>
      library.call(['PUBLISH', step.subscribe, step.message]),
    );
  }
  if ('pattern' in step) {
    return await library.hear('pattern', step.pattern, () =>
      library.call(['PUBLISH', step.channel, step.message]),
    );
  }
  if ('shard' in step) {
    return await library.hear('shard', step.shard, () =>
      library.call(['SPUBLISH', step.shard, step.message]),
    );
  }
  if ('fill' in step) {
    for (let index = 0; index < step.fill; index++)
      await library.call(['SET', `${step.prefix}${index}`, 'v']);
    return step.fill;
  }
  return (await library.scan(step.scan)).toSorted();
}

/** Every object as its JSON would be; maps as lists of pairs. */
function plain(value: unknown): unknown {
  if (value instanceof Map) return [...value].map(plain);
  if (value instanceof Set) return [...value].map(plain);
  if (value instanceof Error) return { error: value.message };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(plain);
  return value;
}

function sortedDeeply(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.map(sortedDeeply).toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
}
