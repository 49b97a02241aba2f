/**
 * A node that tells what is sent to it.
 */
import { Node } from '../../../src/proxy/topology/node.ts';
import type { Upstream } from '../../../src/proxy/upstream/upstream.ts';
import type { Connection } from '../../../src/proxy/wire/connection.ts';
import type { Request } from '../../../src/proxy/wire/request.ts';
import { keepaliveOf } from '../../../src/proxy/wire/socket.ts';
import type { Random } from '../chaos/random.ts';

export const NODES = 3;
/** Ports are the numbers of the nodes from here on: there is no network. */
export const FIRST_PORT = 1;

/** Whoever opens a connection is told, and of all that is sent over it, in that order. */
export interface Tap {
  opened(node: number): (request: Request | null, text: string) => void;
}

export class TappedNode extends Node {
  readonly #tap: Tap;
  #tapped: Connection | undefined;

  constructor(port: number, owner: Upstream, tap: Tap) {
    const options = { host: '127.0.0.1', port, connectTimeoutMs: 300, credentials: undefined };
    super({ ...options, tls: undefined, keepalive: keepaliveOf(undefined), isClusterNode: false }, owner);
    this.#tap = tap;
    // Otherwise it would be asked whether it speaks TLS, over a network.
    this.update({ isProbed: true });
  }

  override connection(kind: number): Connection {
    const connection = super.connection(kind);
    if (connection === this.#tapped) return connection;
    this.#tapped = connection;
    const sent = this.#tap.opened(this.options.port - FIRST_PORT);
    const append = connection.append.bind(connection);
    connection.append = (request, bytes, start, end) => {
      sent(request, Buffer.from(bytes.subarray(start, end)).toString('latin1'));
      append(request, bytes, start, end);
    };
    return connection;
  }
}

/** What a schedule needs of either kind of upstream. */
export interface Model extends Upstream {
  /** By number. */
  readonly all: readonly Node[];
  /** All that it needs can be asked. */
  readonly isWell: boolean;
  placeOfKey(key: string): number;
  /** A map, or a list of servers; the owner of the slot may be in doubt. */
  learn(owner: number, random: Random): void;
}
