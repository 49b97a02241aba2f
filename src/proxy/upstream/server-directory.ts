/**
 * Which servers an upstream has, who of them holds what, and who can be asked now: each mode knows it in its own way.
 */
import { describeAllCommands, describeCommands, type Conversation } from '../topology/conversation.ts';
import type { Node } from '../topology/node.ts';
import type { NodeLog } from '../topology/node-log.ts';
import type { Request } from '../wire/request.ts';
import { ForeignCommands } from './foreign-commands.ts';
import type { Refusal } from './refusal.ts';

/** Of a command whose keys have parted. */
export const NO_PLACE = -1;

export abstract class ServerDirectory {
  /** Commands that only its servers know. */
  readonly foreign = new ForeignCommands(
    (names) => describeCommands(this.conversation(), names),
    () => describeAllCommands(this.conversation()),
  );
  /** Its servers themselves refuse keys of several places. */
  readonly checksSlots: boolean = false;
  /** Some reads may go to replicas only: told where there are none. */
  needsReplicas = false;
  protected nodeLog: NodeLog | undefined;
  readonly #onePlace: readonly number[] = [0];

  /** Has the place of `former` from now on: with other settings, of the same servers maybe. */
  succeed({ nodeLog }: ServerDirectory): void {
    if (nodeLog !== undefined) this.nodeLog?.succeed(nodeLog);
  }

  /** Of the key `bytes[start, end)`: its slot, or its server, for which the hash tag counts only if asked for. */
  abstract placeOf(bytes: Uint8Array, start: number, end: number, hashTags: boolean): number;
  /** Of any primary, for what has no key; for messages of one that publishers and subscribers have in common. */
  abstract anyPlace(forMessages?: boolean): number;
  /** Looks where it belongs now, as far as its bytes tell. False: its keys are at different servers, it has NO_PLACE. */
  protected place(_request: Request): boolean {
    return true;
  }

  /** null: nobody can be asked now. */
  abstract nodeFor(request: Request): Node | null;
  protected abstract nodes(): Iterable<Node>;
  /** Some that are none of these any more are still waited for. */
  protected get hasLeaving(): boolean {
    return false;
  }

  /** With a node that can be asked, not for a client; undefined: there is none. */
  protected abstract conversation(): Conversation | undefined;
  /**
   * Follows a redirection: what it says of the topology, and the node it names. null: it can't be asked now; undefined:
   * nobody here is meant.
   */
  abstract redirected(request: Request, refusal: Refusal, from: Node): Node | null | undefined;
  abstract close(): void;
  /** It knows where to send what. */
  abstract readonly isReady: boolean;

  /** Why none of its servers lets us in; undefined: one does, or it is not known. */
  get refusal(): string | undefined {
    return undefined;
  }

  /** Why it is not known where to send what, or why nothing can be sent; undefined: nothing is wrong. */
  get problem(): string | undefined {
    return this.nodeLog?.mapProblem;
  }

  /** Whose it is, whether it can be asked or not; undefined: nobody's that is known. */
  holderOf(_place: number): Node | undefined {
    return undefined;
  }

  /** What those who alone can carry it out say to whoever asks them now, where they say anything. */
  protected refusing({ place }: Request): Buffer | undefined {
    return this.holderOf(place)?.refusing;
  }

  /** Since when nobody is known who could ever carry it out, by `performance.now()`; Infinity: somebody is. */
  protected inVainSince(_request: Request): number {
    return Infinity;
  }

  /** null: it can't be asked now. */
  primaryFor(place: number): Node | null {
    const node = this.holderOf(place);
    return node?.isUsable === true ? node : null;
  }

  /** A place of each primary, in an order that stays. Another list, once one has come, gone, or become one. */
  primaryPlaces(): readonly number[] {
    return this.#onePlace;
  }

  /** Some may be primaries no longer: what has no key they carry out all the same. */
  get arePrimariesInDoubt(): boolean {
    return false;
  }

  /** Servers for reads among them. */
  usableReplicas(): readonly Node[] {
    return [];
  }

  /** Whether or not they can be asked anything else. */
  nodesThatLive(): readonly Node[] {
    return [...this.nodes()].filter(({ isDead }) => !isDead);
  }

  /** Whether or not it lives. */
  knows(address: string): boolean {
    return [...this.nodes()].some((node) => node.address === address);
  }

  /** From now on each node is asked for its zone. */
  askZones(): void {}

  /** What it knows may be out of date. */
  noteDoubt(): void {}

  /** A slot whose keys are on their way. */
  noteMoving(_place: number): void {}
}
