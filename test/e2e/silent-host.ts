/**
 * A host on loopback that does not even answer the wish to connect, as one behind a firewall that drops: its process is
 * stopped and the kernel's queue of connections that wait to be accepted is full.
 */
import { connect, type Socket } from 'node:net';

import { startProcess } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { Ending } from './sidecar.ts';

/** A connection on loopback that is not there by then never will be. */
const CONNECTED_BY_MS = 500;
const LONGEST_QUEUE = 16;

const PROGRAM = `
  const server = require('node:net').createServer();
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => console.log('port ' + server.address().port));
`;

/** Its port. Gone when the test ends. */
export async function startSilentHost(t: Ending): Promise<number> {
  const host = await startProcess(process.execPath, ['--eval', PROGRAM]);
  t.after(() => host.stop());
  const port = await eventually('a port', () => {
    const said = /port (\d+)/.exec(host.lastLines())?.[1];
    return said === undefined ? undefined : Number(said);
  });
  host.signal('SIGSTOP');
  for (let queued = 0; queued < LONGEST_QUEUE; queued++) {
    const socket = connect({ host: '127.0.0.1', port });
    t.after(() => void socket.destroy());
    if (!(await isConnected(socket))) return port;
  }
  throw new Error(`127.0.0.1:${port} took ${LONGEST_QUEUE} connections though nobody accepts them`);
}

async function isConnected(socket: Socket): Promise<boolean> {
  socket.on('error', () => {});
  return await new Promise((resolve) => {
    const limit = setTimeout(() => resolve(false), CONNECTED_BY_MS);
    socket.once('connect', () => {
      clearTimeout(limit);
      resolve(true);
    });
  });
}
