/** A TCP proxy of a test that can cut connections, or let them go silent. */
import { connect, createServer, type Socket } from 'node:net';

import type { Ending } from './sidecar.ts';

export interface TroubledWire {
  readonly port: number;
  /** Of the API server behind it. */
  readonly https: string;
  /** Ends every connection at once. */
  cut(): void;
  /** Ends every connection, and every new one, until it is mended. */
  break(): void;
  mend(): void;
  /** Those that are open carry nothing any more, and nobody is told; new ones work. */
  silence(): void;
  /** Where new connections go from now on. */
  leadTo(port: number): void;
  /** How many were opened so far. */
  opened(): number;
  /** How many of the first so many are still open. */
  stillOpen(first: number): number;
}

/** Closed when the test ends. */
export async function startTroubledWire(t: Ending, target: number): Promise<TroubledWire> {
  /** With the turn at which each was opened, from 1 on. */
  const pairs = new Map<readonly [Socket, Socket], number>();
  let count = 0;
  let isBroken = false;
  let goal = target;
  const server = createServer((near) => {
    if (isBroken) {
      near.destroy();
      return;
    }
    count += 1;
    const far = connect(goal, '127.0.0.1');
    const pair = [near, far] as const;
    pairs.set(pair, count);
    near.pipe(far);
    far.pipe(near);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    for (const [near, far] of pairs.keys()) {
      near.destroy();
      far.destroy();
    }
  };
  t.after(() => {
    cut();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    https: `https://127.0.0.1:${port}`,
    cut,
    break: () => {
      isBroken = true;
      cut();
    },
    mend: () => {
      isBroken = false;
    },
    silence: () => {
      for (const [near, far] of pairs.keys()) {
        near.unpipe(far);
        far.unpipe(near);
        near.pause();
        far.pause();
      }
    },
    leadTo: (port) => {
      goal = port;
    },
    opened: () => count,
    stillOpen: (first) => [...pairs.values()].filter((turn) => turn <= first).length,
  };
}
