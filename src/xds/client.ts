/**
 * A small xDS client: one aggregated stream over a connection of its own.
 */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';

import { type ChannelCredentials, Client, type ClientDuplexStream, credentials, status } from '@grpc/grpc-js';

import { encode } from '../envoy/codec.ts';
import { nodeMessage, type NodeDescription } from '../envoy/node.ts';
import type { Certificates } from '../tls/certificate-files.ts';
import { handshakeProblem } from '../tls/handshake-problem.ts';
import { serverDisbelief } from '../tls/server-disbelief.ts';
import type { ClientRequest } from './client-subscription.ts';
import { formatAddress, type HostAndPort } from './listen-address.ts';
import { PendingHandshakes } from './pending-handshakes.ts';
import { readResponse, type Received } from './received.ts';
import type { Variant } from './requests.ts';

export interface XdsClientOptions {
  readonly address: HostAndPort;
  /** undefined: in the clear. */
  readonly tls: Certificates | undefined;
  readonly variant: Variant;
  readonly node: NodeDescription;
  /** How long the connection may take; undefined: as long as the network lets it. */
  readonly connectLimitMs?: number;
  /** The connection is made. */
  readonly onConnected?: () => void;
}

const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

const TLS_HINT = 'if it is served with TLS, give --tls-ca, --tls-cert and --tls-key';

const ADDRESS_HINT = 'give the address that serve has with --xds-address';

const same = (bytes: Buffer): Buffer => bytes;

export class XdsClient {
  readonly #options: XdsClientOptions;
  readonly #handshakes = new PendingHandshakes();
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  #isFirst = true;
  #isClosed = false;
  #tookTooLong: string | undefined;
  #limit: NodeJS.Timeout | undefined;

  constructor(options: XdsClientOptions) {
    this.#options = options;
    const { address, tls, variant, connectLimitMs, onConnected } = options;
    this.#client = new Client(formatAddress(address), this.#handshakes.follow(channel(address.host, tls)), {
      // A TLS server name can't be an address (RFC 6066); which one the certificate must have is checked all the same.
      ...(tls !== undefined && isIP(address.host) !== 0
        ? { 'grpc.ssl_target_name_override': 'localhost' }
        : {}),
      // A control plane of thousands of objects: the library's own limit is 4 MiB.
      'grpc.max_receive_message_length': -1,
      // Each client tries to connect at once, whatever became of one before it.
      'grpc.use_local_subchannel_pool': 1,
      // Finds a server that is gone without a word.
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
    });
    const name = variant === 'delta' ? 'DeltaAggregatedResources' : 'StreamAggregatedResources';
    this.#call = this.#client.makeBidiStreamRequest(`${METHOD}/${name}`, same, same);
    // The iteration over the responses tells of it.
    this.#call.on('error', () => {});
    if (connectLimitMs === undefined) return;
    this.#limit = setTimeout(() => {
      const hint = tls === undefined ? '' : `; ${ADDRESS_HINT}, and --tls-* only where serve has them`;
      this.#tookTooLong = `no connection within ${connectLimitMs / 1_000} s${hint}`;
      this.#call.cancel();
    }, connectLimitMs);
    // Without a limit of the library's own: its timer would go on after the end, and keep the process.
    this.#client.waitForReady(Infinity, (error) => {
      if (this.#isClosed || error !== undefined) return;
      clearTimeout(this.#limit);
      onConnected?.();
    });
  }

  get variant(): Variant {
    return this.#options.variant;
  }

  send(request: ClientRequest): void {
    const whole = this.#isFirst ? { node: nodeMessage(this.#options.node), ...request } : request;
    this.#isFirst = false;
    const name = this.variant === 'delta' ? 'DeltaDiscoveryRequest' : 'DiscoveryRequest';
    this.#call.write(encode(`envoy.service.discovery.v3.${name}`, whole));
  }

  /** Ends with the stream; fails with one line where the server refuses it. */
  async *responses(): AsyncGenerator<Received> {
    const { address, tls } = this.#options;
    const place = `xDS at ${formatAddress(address)}`;
    let isConnected = false;
    try {
      for await (const bytes of this.#call) {
        isConnected = true;
        yield readResponse(this.variant, bytes as Buffer);
      }
    } catch (error) {
      if (this.#isClosed) return;
      const hasTls = tls !== undefined;
      const reason = this.#tookTooLong ?? reasonOf(error, { host: address.host, hasTls, isConnected });
      throw new Error(`${place}: ${reason}`, { cause: error });
    } finally {
      this.close();
    }
  }

  /** Says no more; the server takes what was said and ends the stream. */
  finish(): void {
    this.#call.end();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#limit);
    this.#call.cancel();
    this.#client.close();
    this.#handshakes.destroy();
  }
}

function channel(host: string, tls: Certificates | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createSsl(tls.ca, tls.key, tls.cert, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  });
}

/** The server does not speak that variant. */
export function isUnimplemented(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: number } };
  return cause?.code === status.UNIMPLEMENTED;
}

interface Asked {
  readonly host: string;
  readonly hasTls: boolean;
  readonly isConnected: boolean;
}

function reasonOf(error: unknown, { host, hasTls, isConnected }: Asked): string {
  if (!(error instanceof Error)) return String(error);
  const { code, details: said } = error as { readonly code?: status; readonly details?: string };
  if (code === undefined || said === undefined) return error.message;
  const details = said.replace(/ ?Resolution note: $/, '');
  const isUnavailable = status[code] === 'UNAVAILABLE';
  if (isUnavailable) {
    // In the library's words, which say what went wrong and not what to do.
    if (details.includes('ECONNREFUSED')) return `nothing listens there; ${ADDRESS_HINT}`;
    if (details.includes('Name resolution failed')) return `the name is not known; ${ADDRESS_HINT}`;
    const disbelief = serverDisbelief(details, host);
    if (disbelief !== undefined) return disbelief;
    const handshake = handshakeProblem(details);
    if (handshake?.kind === 'no TLS')
      return `what listens there speaks no TLS; ${ADDRESS_HINT}, and leave out --tls-ca, --tls-cert and --tls-key where serve has none`;
    if (handshake?.kind === 'other') return `the TLS handshake failed (${handshake.what})`;
    if (handshake !== undefined || details.includes('Protocol error'))
      return `what listens there speaks no gRPC${hasTls ? '' : ' in the clear'}; ${ADDRESS_HINT} (the admin has another)${hasTls ? '' : `; ${TLS_HINT}`}`;
    if (details.includes('Failed to connect'))
      return hasTls
        ? 'the connection was closed; give the certificate of a client, and see in the log of serve why it was refused'
        : `the connection was closed; ${TLS_HINT}`;
  }
  const [first = ''] = details.split('\n');
  // Who has had an answer knows how to connect.
  const hint = isUnavailable && !hasTls && !isConnected ? `; ${TLS_HINT}` : '';
  return `${status[code] ?? code}: ${first}${hint}`;
}
