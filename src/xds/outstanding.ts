/**
 * Responses of one type on one stream that the client has not answered yet.
 *
 * While the newest of them is younger than the limit nothing more is sent: what changes meanwhile is merged. There must
 * be a limit, because Envoy 1.40 holds back the acknowledgement of clusters for as long as one of them is warming, and a
 * Redis that is down warms for ever; the response was applied all the same, and the answers come later in a batch.
 */
import type { Resource } from '../envoy/resource.ts';
import type { Transition } from '../envoy/resource-set.ts';

export interface SentResponse {
  readonly nonce: string;
  readonly content: Transition;
  /** Gone with it. */
  readonly removed: readonly string[];
  /** Resources of the content that were new to the client, in the order of their names. */
  readonly fresh: readonly Resource[];
  /** Of these, the ones of which it had no version at all. */
  readonly novel: readonly Resource[];
  readonly sentMs: number;
  /** Number of the snapshot it was made from. */
  readonly sequence: number;
}

/**
 * Beyond them those are forgotten that later ones have overtaken: what the client says of such a response is said again of
 * those.
 */
const MANY = 16;
/**
 * Beyond them the oldest, whatever it brought: names that come and go overtake nobody, and to look at all of 1,000 took 13 ms
 * for each further response of each stream.
 */
const MOST_KEPT = 256;

export function isAmong(resources: readonly Resource[], name: string): boolean {
  let low = 0;
  let high = resources.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((resources[middle]?.name ?? '') < name) low = middle + 1;
    else high = middle;
  }
  return resources[low]?.name === name;
}

/** Whether all that came, or was new, or went with it did so again later. */
function isOvertaken({ content, fresh, removed }: SentResponse, later: readonly SentResponse[]): boolean {
  const isAgain = (name: string): boolean =>
    later.some((one) => isAmong(one.content.resources, name) || one.removed.includes(name));
  return (
    removed.every(isAgain) &&
    content.resources.every(({ name }) => isAgain(name)) &&
    fresh.every(({ name }) => later.some((one) => isAmong(one.fresh, name)))
  );
}

export class Outstanding {
  readonly #limitMs: number;
  #responses: SentResponse[] = [];

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  get isEmpty(): boolean {
    return this.#responses.length === 0;
  }

  get newest(): SentResponse | undefined {
    return this.#responses.at(-1);
  }

  /** What is on its way, or has arrived unanswered. */
  names(): readonly string[] {
    return this.#responses.flatMap(({ content }) => content.resources.map(({ name }) => name));
  }

  /** Whether one of them brings new content for that name. */
  brings(name: string): boolean {
    return this.#responses.some(({ fresh }) => isAmong(fresh, name));
  }

  /** Those of which none of them has any version: what it has, the client may have taken by now, refused before or not. */
  without(resources: readonly Resource[]): readonly Resource[] {
    if (this.isEmpty) return resources;
    return resources.filter(
      ({ name }) => !this.#responses.some(({ content }) => isAmong(content.resources, name)),
    );
  }

  add(response: SentResponse): void {
    const responses = [...this.#responses, response];
    const overtaken =
      responses.length > MANY
        ? responses.findIndex((earlier, at) => isOvertaken(earlier, responses.slice(at + 1)))
        : -1;
    this.#responses = responses.filter((_, at) => at !== overtaken).slice(-MOST_KEPT);
  }

  /** The response with that nonce, which is answered now; those before it have been received too. */
  take(nonce: string): SentResponse | undefined {
    const at = this.#responses.findIndex((response) => response.nonce === nonce);
    const answered = this.#responses[at];
    if (answered !== undefined) this.#responses = this.#responses.slice(at + 1);
    return answered;
  }

  clear(): void {
    this.#responses = [];
  }

  /** When the next response may leave without an answer to the newest; undefined: now. */
  blockedUntil(nowMs: number): number | undefined {
    const newest = this.newest;
    if (newest === undefined) return undefined;
    const freeMs = newest.sentMs + this.#limitMs;
    return nowMs < freeMs ? freeMs : undefined;
  }
}
