/**
 * Connections to nodes without a network: whoever connects gets one of these, and the test is its other end.
 */
import { EventEmitter } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

/** What the proxy asks for. */
interface Asked {
  readonly port: number;
  readonly onread: { readonly buffer: Buffer; readonly callback: (length: number) => boolean };
}

export class InMemorySocket extends EventEmitter {
  readonly writableLength = 0;
  readonly port: number;
  isOpen = false;
  isEnded = false;
  /** What was written and not taken by the node. */
  written = '';
  readonly #onread: Asked['onread'];

  constructor({ port, onread }: Asked) {
    super();
    this.port = port;
    this.#onread = onread;
  }

  open(): void {
    this.isOpen = true;
    this.emit('connect');
  }

  write(bytes: Uint8Array): void {
    this.written += Buffer.from(bytes).toString('latin1');
  }

  /** As the node's words come to the proxy. */
  say(text: string): void {
    if (this.isEnded) return;
    const length = this.#onread.buffer.write(text, 'latin1');
    this.#onread.callback(length);
  }

  /** By the node, or on the way. */
  cut(problem?: Error): void {
    if (this.isEnded) return;
    if (problem === undefined) this.emit('end');
    else this.emit('error', problem);
    this.destroy();
    this.emit('close');
  }

  /** By the proxy. */
  destroy(): void {
    this.isEnded = true;
  }
}

/** While `act` runs, `opened` has what connects. */
export function withoutNetwork<T>(opened: (socket: InMemorySocket) => void, act: () => T): T {
  const { connect } = net;
  Reflect.set(net, 'connect', (asked: Asked) => {
    const socket = new InMemorySocket(asked);
    opened(socket);
    return socket;
  });
  syncBuiltinESMExports();
  try {
    return act();
  } finally {
    Reflect.set(net, 'connect', connect);
    syncBuiltinESMExports();
  }
}
