/**
 * TLS towards clients, for all listeners: with a certificate that may be renewed while connections are open, and, where
 * authorities are given, only for clients that have a certificate of theirs.
 */
import { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';

import { plainAddress } from '../api/host-port.ts';

/** As PEM. */
export interface ListenerCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** undefined: clients need no certificate. */
  readonly ca: Buffer | undefined;
}

/** A connection that is no further by then is closed. */
const HANDSHAKE_MS = 10_000;

export class ListenerTls {
  #certificate: ListenerCertificate;
  readonly #servers = new Set<Server>();
  readonly #failed: (client: string, error: Error) => void;

  /** `failed`: of each handshake that does. */
  constructor(certificate: ListenerCertificate, failed: (client: string, error: Error) => void = () => {}) {
    this.#certificate = certificate;
    this.#failed = failed;
  }

  /** When the certificate ends that clients see. */
  get notAfter(): Date {
    return new Date(new X509Certificate(this.#certificate.cert).validTo);
  }

  /** For every connection from now on. */
  renew(certificate: ListenerCertificate): void {
    this.#certificate = certificate;
    for (const server of this.#servers) server.setSecureContext(contextOf(certificate));
  }

  /** What takes accepted sockets; `onSecure` gets those whose handshake succeeded. */
  open(onSecure: (socket: TLSSocket) => void): { take(socket: Socket): void; close(): void } {
    const asksClients = this.#certificate.ca !== undefined;
    // It does not listen itself: it is handed what was accepted.
    const server = createServer({
      ...contextOf(this.#certificate),
      requestCert: asksClients,
      rejectUnauthorized: asksClients,
      handshakeTimeout: HANDSHAKE_MS,
    });
    /** Whose handshake is not over yet, by where they come from. */
    const shaking = new Map<string, Socket>();
    server.on('secureConnection', (socket) => {
      shaking.delete(originOf(socket));
      onSecure(socket);
    });
    server.on('tlsClientError', (error, socket) => {
      // Where it is that, the error says that the client has gone. What is typed as an Error is OpenSSL's word for it.
      const refused: unknown = socket.authorizationError;
      const why = refused === null || refused === undefined ? error : new Error(refusedCertificate(refused));
      this.#failed(addressOfClient(socket), why);
      socket.destroy();
    });
    this.#servers.add(server);
    return {
      take: (socket) => {
        const origin = originOf(socket);
        shaking.set(origin, socket);
        socket.once('close', () => {
          if (shaking.get(origin) === socket) shaking.delete(origin);
        });
        server.emit('connection', socket);
      },
      close: () => {
        this.#servers.delete(server);
        for (const socket of shaking.values()) socket.destroy();
      },
    };
  }
}

/** Who has hung up has no address any more; the connection below, which was asked for it before, remembers it. */
function addressOfClient(socket: TLSSocket): string {
  const below = Reflect.get(socket, '_parent') as Socket | null | undefined;
  return plainAddress(socket.remoteAddress ?? below?.remoteAddress ?? 'gone');
}

function originOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function refusedCertificate(word: unknown): string {
  return `its certificate is refused: ${String(word)}; give it one of --tls-listener-ca`;
}

function contextOf({ cert, key, ca }: ListenerCertificate): {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  readonly minVersion: 'TLSv1.2';
} {
  return { cert, key, ...(ca === undefined ? {} : { ca }), minVersion: 'TLSv1.2' };
}
