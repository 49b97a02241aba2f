/**
 * Writes to a socket past Node's stream, straight to the handle below it: a write that the kernel takes at once, as nearly
 * all are, then costs neither a request object, nor a tick, nor a callback.
 *
 * Tight: one write per client and turn passes here, at pipeline 1 that is one per command, and it saves 7-12 % of
 * the CPU (`npm run bench -- proxy`). Handles are not documented: `learnToWrite` tries it once; where it does not
 * work, and under TLS, the stream serves.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { getSystemErrorName } from 'node:util';

import { triedOverLoopback } from './loopback-trial.ts';

/** What Node 26 has below a socket. */
interface Handle {
  /** Bytes that the kernel has not taken yet. */
  readonly writeQueueSize: number;
  /** Those included. */
  readonly bytesWritten: number;
  /** 0, the system's error, or, where not all was taken at once, what to wait for. */
  writeBuffer(request: null, bytes: Uint8Array): number | WriteRequest;
}

interface WriteRequest {
  /** Kept from the garbage collector until they are written. */
  buffer: Uint8Array;
  oncomplete: (status: number) => void;
}

/** Not in Node's types. */
const HANDLE = '_handle';
/** Of TLS' handle: the connection's below it. */
const PARENT = '_parent';

let canShorten = false;

export class SocketWriter {
  readonly #socket: Socket;
  /** Called when all that had to wait is written. */
  readonly #onDrain: () => void;
  #handle: Handle | null = null;
  /** Whether something had to wait. */
  #isBehind = false;
  readonly isEncrypting: boolean;

  constructor(socket: Socket, onDrain: () => void) {
    this.#socket = socket;
    this.#onDrain = onDrain;
    this.isEncrypting = socket instanceof TLSSocket;
    socket.on('drain', onDrain);
    if (!canShorten || this.isEncrypting) return;
    if (socket.connecting) socket.once('connect', () => (this.#handle = handleOf(socket)));
    else this.#handle = handleOf(socket);
  }

  /** How many bytes wait. */
  get waiting(): number {
    if (this.#handle === null) return this.#socket.writableLength;
    return this.#isBehind ? this.#handle.writeQueueSize : 0;
  }

  /** Something has to wait until `onDrain` is called: what is written meanwhile would wait in a piece of its own. */
  get isBehind(): boolean {
    return this.#handle === null ? this.#socket.writableNeedDrain : this.#isBehind;
  }

  /** How many bytes the kernel has taken so far, as they go over the wire; in a Node that does not tell always 0. */
  get taken(): number {
    const handle = handleOf(this.#socket);
    if (handle === null) return 0;
    const below: Partial<Handle> = this.isEncrypting ? (Reflect.get(handle, PARENT) ?? handle) : handle;
    return (below.bytesWritten ?? 0) - (below.writeQueueSize ?? 0);
  }

  /** True: the kernel has taken all of it, and the memory may be used again at once. */
  write(bytes: Uint8Array): boolean {
    const handle = this.#handle;
    if (handle === null) {
      this.#socket.write(bytes);
      return this.#socket.writableLength === 0;
    }
    const answer = handle.writeBuffer(null, bytes);
    if (answer === 0) return true;
    if (typeof answer === 'number') {
      this.#fail(answer);
      return false;
    }
    answer.buffer = bytes;
    answer.oncomplete = (status) => this.#completed(status);
    this.#isBehind = true;
    return false;
  }

  #completed(status: number): void {
    if (status !== 0) return this.#fail(status);
    if (this.#handle === null || this.#handle.writeQueueSize > 0) return;
    this.#isBehind = false;
    this.#onDrain();
  }

  /** What the other end has said before it closed may have come, and is read first: there is a poll between two of these. */
  #fail(status: number): void {
    setImmediate(() => setImmediate(() => this.#end(status)));
  }

  #end(status: number): void {
    if (this.#socket.destroyed) return;
    const code = getSystemErrorName(status);
    this.#socket.destroy(Object.assign(new Error(`write ${code}`), { code }));
  }
}

function handleOf(socket: Socket): Handle | null {
  return (Reflect.get(socket, HANDLE) ?? null) as Handle | null;
}

/** True: from now on writers may go past the stream. Tried with a write that is taken at once and one that has to wait. */
export async function learnToWrite(): Promise<boolean> {
  canShorten = await triedOverLoopback(async (client, accepted) => {
    canShorten = givesNoRequest(client);
    return canShorten && (await works(client, accepted));
  });
  return canShorten;
}

/** The kernel takes it whole from whoever has nothing else on the way, however late it is with acknowledgements. */
const SMALL = Buffer.alloc(1);
const LARGE = Buffer.alloc(65_536);
/** So often, and no kernel takes it all for a connection whose other end does not read. */
const MANY = 4_096;

/** Whether Node itself writes so. The handles of older ones end the process where they get no request. */
function givesNoRequest(socket: Socket): boolean {
  const handle = handleOf(socket);
  if (handle === null || typeof handle.writeBuffer !== 'function') return false;
  let seen: unknown;
  handle.writeBuffer = (request, bytes) => {
    seen = request;
    Reflect.deleteProperty(handle, 'writeBuffer');
    return handle.writeBuffer(request, bytes);
  };
  socket.write(SMALL);
  Reflect.deleteProperty(handle, 'writeBuffer');
  return seen === null;
}

async function works(client: Socket, accepted: Socket): Promise<boolean> {
  return await new Promise((resolve) => {
    const writer = new SocketWriter(client, () => resolve(writer.waiting === 0));
    let taken = writer.write(SMALL) ? 1 : 0;
    // What did not fit at once may have fitted a moment later: then nothing waits yet.
    while (taken > 0 && taken < MANY && (writer.write(LARGE) || writer.waiting === 0)) taken += 1;
    if (taken === 0 || taken === MANY || writer.waiting === 0) return resolve(false);
    accepted.resume();
  });
}
