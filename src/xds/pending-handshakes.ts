/**
 * The sockets of a channel whose TLS handshake is not over yet. grpc-js (1.14) forgets them when the channel is closed: with a
 * server that never answers, each would stay for good and keep the process from ending.
 */
import type { Socket } from 'node:net';

import type { ChannelCredentials } from '@grpc/grpc-js';

/** What a channel asks its credentials for, once an address: who makes a connection of a socket. */
const CREATE = '_createSecureConnector';

export class PendingHandshakes {
  readonly #sockets = new Set<Socket>();
  #isOver = false;

  /** Follows the connections that are made with these credentials, which are of one channel. */
  follow(credentials: ChannelCredentials): ChannelCredentials {
    const create = credentials[CREATE].bind(credentials);
    credentials[CREATE] = (...args) => {
      const connector = create(...args);
      const connect = connector.connect.bind(connector);
      connector.connect = async (socket) => {
        // It was still being connected when the channel was closed.
        if (this.#isOver) socket.destroy();
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
        const connected = await connect(socket);
        this.#sockets.delete(socket);
        return connected;
      };
      return connector;
    };
    return credentials;
  }

  /** Those of now, and those whose connection is made only now. */
  destroy(): void {
    this.#isOver = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}
