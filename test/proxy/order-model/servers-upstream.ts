/**
 * An upstream of plain servers that come and go, each with its share of the keys; who is asked for what changes with them as in a
 * ShardedUpstream.
 */
import { LeavingNodes } from '../../../src/proxy/topology/leaving-nodes.ts';
import type { Node } from '../../../src/proxy/topology/node.ts';
import { argumentsThatAreKeys } from '../../../src/proxy/upstream/argument-keys.ts';
import { NO_PLACE } from '../../../src/proxy/upstream/server-directory.ts';
import { Upstream } from '../../../src/proxy/upstream/upstream.ts';
import type { Request } from '../../../src/proxy/wire/request.ts';
import type { Random } from '../chaos/random.ts';
import { FIRST_PORT, NODES, TappedNode, type Model, type Tap } from './tapped-node.ts';

/** A place is a server's number, and above it of which list. */
const BITS = 4;

export class ServersUpstream extends Upstream implements Model {
  readonly isReady = true;
  readonly all: Node[];
  readonly #tap: Tap;
  #listed: readonly number[] = Array.from({ length: NODES }, (_, index) => index);
  #edition = 0;
  readonly #leaving = new LeavingNodes();

  constructor(tap: Tap) {
    super({ hedgeAfterMs: 200, failoverWaitMs: 1_000 });
    this.#tap = tap;
    this.all = this.#listed.map((index) => new TappedNode(FIRST_PORT + index, this, tap));
  }

  get isWell(): boolean {
    return this.#listed.every((index) => this.all[index]!.isUsable);
  }

  learn(_owner: number, random: Random): void {
    // A name is looked up less often, and where a plan says so clients wait for what they have asked before.
    if (this.hasLeaving) return;
    const before = this.#listed;
    const listed = [...this.all.keys()].filter(() => random.chance(0.6));
    if (listed.length === 0 || listed.join() === before.join()) return;
    for (const index of listed)
      if (!before.includes(index)) this.all[index] = new TappedNode(FIRST_PORT + index, this, this.#tap);
    this.#listed = listed;
    this.#edition += 1;
    const gone = before.filter((index) => !listed.includes(index)).map((index) => this.all[index]!);
    this.placeAnew(gone);
    this.retryHeld();
    for (const node of gone) this.#leaving.leave(node, () => node.close('no longer used'));
  }

  /** Where others come or go it mostly stays. */
  placeOfKey(key: string): number {
    const code = key.charCodeAt(0);
    const score = (index: number): number => (code * 31 + index * 17) % 7;
    const [best = 0] = this.#listed.toSorted((one, other) => score(one) - score(other));
    return (this.#edition << BITS) | best;
  }

  override holderOf(place: number): Node | undefined {
    return place >> BITS === this.#edition ? this.all[place & (2 ** BITS - 1)] : undefined;
  }

  nodeFor(request: Request): Node | null {
    this.place(request);
    return this.primaryFor(request.place);
  }

  protected override place(request: Request): boolean {
    const { block, start, end } = request;
    if (block === null || request.place >> BITS === this.#edition) return true;
    const [place = 0, ...others] = (argumentsThatAreKeys(block.bytes, start, end) ?? []).map((key) =>
      this.placeOfKey(key),
    );
    const isApart = others.some((other) => other !== place);
    request.place = isApart ? NO_PLACE : place;
    return !isApart;
  }

  placeOf(bytes: Uint8Array, start: number, end: number): number {
    return this.placeOfKey(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
  }

  anyPlace(): number {
    return (this.#edition << BITS) | this.#listed[0]!;
  }

  redirected(): undefined {
    return undefined;
  }

  changed(node: Node): void {
    if (node.isUsable) this.retryHeld();
  }

  protected nodes(): Iterable<Node> {
    return this.#listed.map((index) => this.all[index]!);
  }

  protected override get hasLeaving(): boolean {
    return !this.#leaving.isEmpty;
  }

  protected conversation(): undefined {
    return undefined;
  }

  override close(): void {
    super.close();
    this.#leaving.closeAll();
    for (const node of this.all) node.close('the test is over');
  }
}
