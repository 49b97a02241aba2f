/**
 * Accepted sockets that read into one shared buffer: a fresh 64 KiB slab for each read would cost a fifth of the CPU per
 * pipelined command.
 *
 * Node offers that (`onread`) for sockets that connect, not for accepted ones; so the handle of an accepted one is put
 * into a new Socket. That is not documented: `canShareBuffer` tries it on a connection of our own, and where it does not
 * work, 'data' events serve.
 */
import { Socket, connect, createServer, type Server } from 'node:net';

const READ_BYTES = 65_536;
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** What came; false: no more until the socket is resumed. */
export type Reader = (bytes: Buffer, length: number) => boolean;

/** Not in Node's types. */
const HANDLE = '_handle';

export function adopt(accepted: Socket, canShare: boolean, reader: (socket: Socket) => Reader): void {
  if (!canShare) {
    const read = reader(accepted);
    accepted.on('data', (chunk: Buffer) => {
      if (!read(chunk, chunk.length)) accepted.pause();
    });
    accepted.resume();
    return;
  }
  const handle: unknown = Reflect.get(accepted, HANDLE);
  Reflect.set(accepted, HANDLE, null);
  accepted.destroy();
  let read: Reader = () => true;
  const options = {
    handle,
    allowHalfOpen: false,
    onread: { buffer: shared, callback: (length: number, bytes: Buffer): boolean => read(bytes, length) },
  };
  const socket = new Socket(options);
  read = reader(socket);
  socket.resume();
  socket.read(0);
}

/** Nothing but a Node that can't takes so long, not even on a machine with fifteen times the work that it can do. */
const LIMIT_MS = 10_000;

/** Tried once at start, on a connection of our own. */
export async function canShareBuffer(): Promise<boolean> {
  const server = createServer({ pauseOnConnect: true });
  try {
    const port = await listen(server);
    return await new Promise<boolean>((resolve) => {
      const limit = setTimeout(() => resolve(false), LIMIT_MS);
      server.once('connection', (accepted) => {
        try {
          adopt(accepted, true, (socket) => (bytes, length) => {
            clearTimeout(limit);
            resolve(bytes.toString('latin1', 0, length) === 'probe');
            socket.destroy();
            return true;
          });
        } catch {
          resolve(false);
        }
      });
      const client = connect({ host: '127.0.0.1', port }, () => client.end('probe'));
      client.on('error', () => resolve(false));
    });
  } finally {
    server.close();
  }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    // Exclusive: other workers try theirs at the same time.
    server.listen({ port: 0, host: '127.0.0.1', exclusive: true }, () => resolve());
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
