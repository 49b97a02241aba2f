import type { TestContext } from 'node:test';

const LOOK_MS = 10;

/**
 * Milliseconds since this call, without those in which the machine let this process stand still: for upper limits, since
 * whoever stands still can't be in time. Never more than what a clock says.
 */
export function runningTime(t: TestContext): () => number {
  let sum = 0;
  let last = performance.now();
  const look = (): number => {
    const now = performance.now();
    sum += Math.min(now - last, 2 * LOOK_MS);
    last = now;
    return sum;
  };
  const timer = setInterval(look, LOOK_MS);
  t.after(() => clearInterval(timer));
  return look;
}
