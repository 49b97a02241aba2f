/**
 * Accepted sockets that read into one shared buffer: a fresh 64 KiB slab for each read would cost a fifth of the CPU per
 * pipelined command.
 *
 * Node offers that (`onread`) for sockets that connect, not for accepted ones; so the handle below an accepted one is told
 * it, and its reads pass the stream by, with what that does at each of them. Neither is documented: `learnToShare` tries
 * it; where it does not work, and under TLS, 'data' events serve.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

import { triedOverLoopback } from './loopback-trial.ts';

const READ_BYTES = 65_536;
const shared = Buffer.allocUnsafeSlow(READ_BYTES);
let canShare = false;

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
  readStart(): number;
  readStop(): number;
  /** Where the kernel's bytes go from now on. */
  useUserBuffer(buffer: Buffer): void;
  [READER]: Reader;
  [STREAM_READ]: (buffer: unknown) => unknown;
}

/** Its first number, during `onread`: how many bytes were read, or why none; null: we can't know. */
const lastRead: Int32Array | null = lastReadOf();

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

/** Hands what comes over a socket that was accepted, and is paused, to a reader. */
export function adopt(socket: Socket, reader: Reader): void {
  if (canShare && !(socket instanceof TLSSocket)) {
    share(socket, reader);
  } else {
    socket.on('data', (chunk: Buffer) => {
      if (!reader.read(chunk, chunk.length)) socket.pause();
    });
  }
  readOn(socket);
}

function share(socket: Socket, reader: Reader): void {
  const handle = Reflect.get(socket, HANDLE) as Handle;
  handle.useUserBuffer(shared);
  handle[READER] = reader;
  handle[STREAM_READ] = handle.onread;
  handle.onread = readPastStream;
}

/** Goes on reading what a reader has stopped. */
export function readOn(socket: Socket): void {
  const handle = (Reflect.get(socket, HANDLE) ?? null) as Handle | null;
  if (handle === null || !(READER in handle)) return void socket.resume();
  // The stream, which is passed by, knows nothing of it.
  if (handle.reading) return;
  handle.reading = true;
  if (handle.readStart() !== 0) socket.destroy();
}

/** True: from now on what is accepted reads into the shared buffer. */
export async function learnToShare(): Promise<boolean> {
  canShare =
    lastRead !== null &&
    (await triedOverLoopback(async (client, accepted) => {
      client.end('probe');
      return await new Promise((resolve) => {
        share(accepted, {
          read: (bytes, length) => {
            resolve(bytes.toString('latin1', 0, length) === 'probe');
            return true;
          },
        });
        readOn(accepted);
      });
    }));
  return canShare;
}
