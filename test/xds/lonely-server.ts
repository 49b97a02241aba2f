/**
 * An xDS server alone in a process, so that its memory is its own (`node --expose-gc`). Says its address, then on each
 * line of input how many streams there are and what its heap holds after a collection.
 */
import { createInterface } from 'node:readline';

import { createXdsServer } from '../../src/xds/server.ts';
import { HandSource } from './surroundings.ts';

const silent = (): void => {};
const source = new HandSource({ CDS: 'a@1', EDS: 'a@1', LDS: 'l@0 m@0' });
const server = await createXdsServer({
  address: { host: '127.0.0.1', port: 0 },
  source,
  log: { debug: silent, info: silent, warn: silent, error: silent },
});
process.stdout.write(`${server.address}\n`);

/** `change` makes another listener; anything else only asks. */
let version = 0;
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'change') {
    version += 1;
    source.set({ CDS: 'a@1', EDS: 'a@1', LDS: `l@${version} m@0` });
  } else globalThis.gc?.();
  source.nodes.length = 0;
  const state = { streams: server.streams().length, heapBytes: process.memoryUsage().heapUsed };
  process.stdout.write(`${JSON.stringify(state)}\n`);
}
await server.close();
