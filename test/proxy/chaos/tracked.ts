/**
 * What a scripted node remembers of those who keep what they read, and tells them of what changes: a replica once it has heard
 * of it.
 */
import { bulk } from './replies.ts';
import { unnamed } from './routes.ts';
import type { NodeState, Talk } from './state.ts';

const HEAD = `>2\r\n${bulk('invalidate')}`;
/** Whoever is behind looks so often. */
const EVERY_MS = 5;
/** A write is noted a little later than who keeps its key. */
const WRITTEN_MS = 1;

interface Change {
  readonly key: string;
  readonly at: number;
}

/** `names`: keys as they came. */
export function rememberRead({ isTracking, tracked }: Talk, names: readonly string[]): void {
  if (!isTracking) return;
  for (const name of names) {
    const key = unnamed(name);
    tracked.set(key, new Set([...(tracked.get(key) ?? []), name]));
  }
}

export class Tracked {
  readonly #node: NodeState;
  #untold: Change[] = [];
  #isLooking = false;

  constructor(node: NodeState) {
    this.#node = node;
  }

  changed(key: string): void {
    this.#untold.push({ key, at: performance.now() });
    this.look();
  }

  /** What it has heard of by now. */
  look(): void {
    const { isAwake, isPrimary, lagMs } = this.#node;
    if (!isAwake) return;
    const until = isPrimary || lagMs === 0 ? Infinity : performance.now() - lagMs - WRITTEN_MS;
    while (this.#untold[0] !== undefined && this.#untold[0].at < until) this.#tell(this.#untold.shift()!.key);
    if (this.#untold.length === 0 || this.#isLooking) return;
    this.#isLooking = true;
    setTimeout(() => {
      this.#isLooking = false;
      this.look();
    }, EVERY_MS).unref();
  }

  /** It has others' data. */
  changedAll(): void {
    for (const talk of this.#node.talks) {
      talk.tracked.clear();
      if (talk.isTracking) this.#node.push(talk, `${HEAD}_\r\n`);
    }
  }

  /** It is dead. */
  forget(): void {
    this.#untold = [];
  }

  #tell(key: string): void {
    for (const talk of this.#node.talks) {
      const names = talk.tracked.get(key);
      if (names === undefined) continue;
      talk.tracked.delete(key);
      const text = `${HEAD}*${names.size}\r\n${[...names].map(bulk).join('')}`;
      if (talk.behind === undefined) this.#node.push(talk, text);
      else talk.behind.push(text);
    }
  }
}
