/**
 * An upstream of three nodes and one slot; what of a cluster's map is known follows redirections as a ClusterUpstream does.
 */
import { Node } from '../../../src/proxy/topology/node.ts';
import type { Refusal } from '../../../src/proxy/upstream/refusal.ts';
import { Upstream } from '../../../src/proxy/upstream/upstream.ts';
import type { Connection } from '../../../src/proxy/wire/connection.ts';
import type { Request } from '../../../src/proxy/wire/request.ts';
import { runsScript } from '../../../src/proxy/wire/script-words.ts';
import { keepaliveOf } from '../../../src/proxy/wire/socket.ts';

export const NODES = 3;
/** Ports are the numbers of the nodes from here on: there is no network. */
export const FIRST_PORT = 1;

/** Whoever opens a connection is told, and of all that is sent over it, in that order. */
export interface Tap {
  opened(node: number): (request: Request | null, text: string) => void;
}

class TappedNode extends Node {
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

export class ModelUpstream extends Upstream {
  readonly isReady = true;
  readonly all: readonly Node[];
  owner: Node;

  constructor(tap: Tap) {
    super({ hedgeAfterMs: 200, failoverWaitMs: 1_000 });
    this.all = Array.from({ length: NODES }, (_, index) => new TappedNode(FIRST_PORT + index, this, tap));
    this.owner = this.all[0]!;
  }

  /** From a map. */
  learn(owner: Node): void {
    this.#assign(owner);
    this.retryHeld();
  }

  #assign(owner: Node): void {
    const former = this.owner;
    this.owner = owner;
    if (former !== owner) this.hasMoved(former, () => true);
  }

  override redirected(request: Request, refusal: Refusal, from: Node): Node | null | undefined {
    if (refusal.kind !== 'moved' && refusal.kind !== 'ask') return undefined;
    const node = this.all[refusal.port - FIRST_PORT]!;
    if (node === from) return null;
    if (refusal.kind === 'moved' && node.isUsable && !runsScript(request)) this.#assign(node);
    return node.isUsable ? node : null;
  }

  override primaryFor(): Node | null {
    return this.nodeFor();
  }

  nodeFor(): Node | null {
    return this.owner.isUsable ? this.owner : null;
  }

  changed(node: Node): void {
    if (node.isUsable) this.retryHeld();
  }

  placeOf(): number {
    return 0;
  }

  anyPlace(): number {
    return 0;
  }

  protected nodes(): Iterable<Node> {
    return this.all;
  }

  protected conversation(): undefined {
    return undefined;
  }

  override close(): void {
    super.close();
    for (const node of this.all) node.close('the test is over');
  }
}
