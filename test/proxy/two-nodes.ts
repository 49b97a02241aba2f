/**
 * An upstream of two nodes and one place; who is asked for what, a test says.
 */
import { Node } from '../../src/proxy/topology/node.ts';
import { keepaliveOf } from '../../src/proxy/wire/socket.ts';
import type { UpstreamSettings } from '../../src/proxy/upstream/upstream-settings.ts';
import { Upstream } from '../../src/proxy/upstream/upstream.ts';

export abstract class TwoNodes extends Upstream {
  readonly first: Node;
  readonly second: Node;
  readonly isReady = true;

  constructor(settings: UpstreamSettings, firstPort: number, secondPort: number) {
    super(settings);
    [this.first, this.second] = [this.nodeAt(firstPort), this.nodeAt(secondPort)];
  }

  protected nodeAt(port: number): Node {
    const options = { host: '127.0.0.1', port, connectTimeoutMs: 5_000, credentials: undefined };
    const rest = { tls: undefined, keepalive: keepaliveOf(undefined), isClusterNode: false };
    return new Node({ ...options, ...rest }, this);
  }

  placeOf(): number {
    return 0;
  }

  anyPlace(): number {
    return 0;
  }

  protected *nodes(): Iterable<Node> {
    yield this.first;
    yield this.second;
  }

  protected conversation(): undefined {
    return undefined;
  }

  redirected(): Node | null | undefined {
    return undefined;
  }

  changed(_node: Node): void {}

  override close(): void {
    super.close();
    this.first.close('the test is over');
    this.second.close('the test is over');
  }
}
