/**
 * Accepted sockets that read into one shared buffer: a fresh 64 KiB slab for each read would cost a fifth of the CPU per
 * pipelined command.
 *
 * Node offers that (`onread`) for sockets that connect, not for accepted ones; so the handle of an accepted one is put
 * into a new Socket. What the stream does at each read is passed by, too. Neither is documented: `canShareBuffer` tries
 * them on connections of our own, and where they do not work, `onread` alone or 'data' events serve.
 */
import { Socket, connect, createServer, type Server } from 'node:net';

const READ_BYTES = 65_536;
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** Takes what comes over one connection. */
export interface Reader {
  /** What came; the buffer is used again after it. False: no more until the socket is resumed. */
  read(bytes: Buffer, length: number): boolean;
}

/** Not in Node's types. */
const HANDLE = '_handle';
const READER = Symbol('reader');
const STREAM_READ = Symbol("what Node's stream does");

/** What Node 26 has below a socket. */
interface Handle {
  /** Called after each read from the kernel. */
  onread: (buffer: unknown) => unknown;
  reading: boolean;
  readStop(): number;
  [READER]: Reader;
  [STREAM_READ]: (buffer: unknown) => unknown;
}

/** Its first number, during `onread`: how many bytes were read, or why none; null: we can't know. */
let lastRead: Int32Array | null = lastReadOf();

function lastReadOf(): Int32Array | null {
  try {
    const inside = process as unknown as { binding(name: string): { streamBaseState: unknown } };
    const { streamBaseState } = inside.binding('stream_wrap');
    return streamBaseState instanceof Int32Array ? streamBaseState : null;
  } catch {
    return null;
  }
}

/**
 * In the place of what Node's stream does per read (a timer, a look at its state, two calls). One function for all
 * connections, so that it is compiled together with what it calls.
 */
function readPastStream(this: Handle, buffer: unknown): unknown {
  const length = lastRead![0]!;
  // The end, or an error.
  if (length <= 0) return this[STREAM_READ](buffer);
  if (!this[READER].read(shared, length)) {
    this.reading = false;
    this.readStop();
  }
  return undefined;
}

export function adopt(accepted: Socket, canShare: boolean, readerOf: (socket: Socket) => Reader): void {
  if (!canShare) {
    const reader = readerOf(accepted);
    accepted.on('data', (chunk: Buffer) => {
      if (!reader.read(chunk, chunk.length)) accepted.pause();
    });
    accepted.resume();
    return;
  }
  const handle = Reflect.get(accepted, HANDLE) as Handle;
  Reflect.set(accepted, HANDLE, null);
  accepted.destroy();
  let reader: Reader;
  const options = {
    handle,
    allowHalfOpen: false,
    onread: { buffer: shared, callback: (length: number): boolean => reader.read(shared, length) },
  };
  const socket = new Socket(options);
  reader = readerOf(socket);
  if (lastRead !== null) {
    handle[READER] = reader;
    handle[STREAM_READ] = handle.onread;
    handle.onread = readPastStream;
  }
  socket.resume();
  socket.read(0);
}

/** Nothing but a Node that can't takes so long, not even on a machine with fifteen times the work that it can do. */
const LIMIT_MS = 10_000;

/** Tried once at start, on connections of our own: past the stream, then with it. */
export async function canShareBuffer(): Promise<boolean> {
  if (lastRead !== null && (await readsWell())) return true;
  lastRead = null;
  return await readsWell();
}

async function readsWell(): Promise<boolean> {
  const server = createServer({ pauseOnConnect: true });
  try {
    const port = await listen(server);
    return await new Promise<boolean>((resolve) => {
      const limit = setTimeout(() => resolve(false), LIMIT_MS);
      server.once('connection', (accepted) => {
        try {
          adopt(accepted, true, (socket) => ({
            read: (bytes, length) => {
              clearTimeout(limit);
              resolve(bytes.toString('latin1', 0, length) === 'probe');
              socket.destroy();
              return true;
            },
          }));
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
