/**
 * An upstream of three nodes and one slot; what of a cluster's map is known follows redirections as a ClusterUpstream does.
 */
import type { Node } from '../../../src/proxy/topology/node.ts';
import type { Refusal } from '../../../src/proxy/upstream/refusal.ts';
import { Upstream } from '../../../src/proxy/upstream/upstream.ts';
import type { Request } from '../../../src/proxy/wire/request.ts';
import { runsScript } from '../../../src/proxy/wire/script-words.ts';
import { FIRST_PORT, NODES, TappedNode, type Model, type Tap } from './tapped-node.ts';

export class SlotUpstream extends Upstream implements Model {
  readonly isReady = true;
  readonly all: readonly Node[];
  owner: Node;

  constructor(tap: Tap) {
    super({ hedgeAfterMs: 200, failoverWaitMs: 1_000 });
    this.all = Array.from({ length: NODES }, (_, index) => new TappedNode(FIRST_PORT + index, this, tap));
    this.owner = this.all[0]!;
  }

  get isWell(): boolean {
    return this.owner.isUsable;
  }

  placeOfKey(): number {
    return 0;
  }

  learn(number: number): void {
    const owner = this.all[number]!;
    const former = this.owner;
    this.#assign(owner);
    if (former !== owner && !former.isUsable) former.close('it was replaced');
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
