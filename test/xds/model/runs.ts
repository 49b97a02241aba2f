/**
 * Random runs of a scene, as lists of steps, so that a run that fails can be made shorter before it is shown.
 */
import assert from 'node:assert/strict';

import type { ShortType, Spec } from '../talk.ts';

export const TYPES: readonly ShortType[] = ['CDS', 'EDS', 'LDS'];
export const NAMES = ['a', 'b', 'c', 'd'];

export type Step =
  /** The next response arrives; the client may refuse all of it, or its first resource. */
  | { readonly do: 'hear'; readonly refuse?: 'all' | 'first' }
  /** The next request arrives. */
  | { readonly do: 'reach' }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'serve'; readonly spec: Spec }
  | { readonly do: 'reconnect' }
  /** The wire to the client takes nothing any more, or again. */
  | { readonly do: 'stall' | 'resume' }
  /** The Redis behind a cluster is down from now on, or back: until then the cluster does not become warm. */
  | { readonly do: 'die' | 'revive'; readonly name: string }
  | { readonly do: 'subscribe' | 'unsubscribe'; readonly type: ShortType; readonly names: readonly string[] };

export interface Scene {
  step(step: Step): void;
  /** Everything arrives, and time goes by; then it is as it should be. */
  end(): void;
}

export type Random = (below: number) => number;

/** mulberry32: the same numbers for the same seed. */
export function randomFrom(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Runs the scene with random steps; what fails is shown with as few steps as still fail. */
export function checkRuns(options: {
  readonly runs: number;
  readonly steps: number;
  readonly scene: () => Scene;
  readonly step: (random: Random, index: number) => Step;
}): void {
  for (let seed = 1; seed <= options.runs; seed += 1) {
    const random = randomFrom(seed);
    const steps = Array.from({ length: options.steps }, (_, index) => options.step(random, index));
    if (failureOf(options.scene, steps) === undefined) continue;
    const least = shrink(steps, (some) => failureOf(options.scene, some) !== undefined);
    const lines = least.map((step) => JSON.stringify(step)).join('\n');
    throw new Error(`seed ${seed} fails with these ${least.length} steps:\n${lines}`, {
      cause: failureOf(options.scene, least),
    });
  }
}

function failureOf(scene: () => Scene, steps: readonly Step[]): unknown {
  try {
    const played = scene();
    for (const step of steps) played.step(step);
    played.end();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Leaves out runs of steps, long ones first, for as long as the rest still fails. */
export function shrink<T>(all: readonly T[], fails: (some: readonly T[]) => boolean): readonly T[] {
  let steps = all;
  for (let length = steps.length >> 1; length >= 1; length >>= 1) {
    for (let at = 0; at < steps.length;) {
      const rest = [...steps.slice(0, at), ...steps.slice(at + length)];
      if (fails(rest)) steps = rest;
      else at += length;
    }
  }
  assert.ok(fails(steps));
  return steps;
}

/** Each name with a version that is often the same as before. */
export function randomList(random: Random, round: number): string {
  const names = NAMES.filter(() => random(3) > 0);
  return names.map((name) => `${name}@${random(2) === 0 ? 0 : round}`).join(' ');
}

export function wordsOf(list: string | undefined): string[] {
  return (list ?? '').split(' ').filter((word) => word !== '');
}
