/**
 * Plain servers by address or name: names are resolved again and again, servers that can't be asked are asked how they
 * are until they can.
 */
import { lookup } from 'node:dns/promises';

import type { ProxyServers } from '../plan/routing-plan.ts';
import { Conversation } from './conversation.ts';
import { judgeFitness, judgeLink } from './fitness.ts';
import { askingEveryMs } from './lag.ts';
import { Node, addressOf, type NodeOptions, type NodeOwner } from './node.ts';
import { parseReplication } from './topology.ts';

const RESOLVE_AGAIN_MS = 5_000;
const PROBE_HURT_MS = 100;

export interface Server {
  /** What Maglev places it by. */
  readonly text: string;
  readonly node: Node;
}

interface Known extends Server {
  readonly conversation: Conversation;
  isBeingProbed: boolean;
}

interface Place {
  readonly address: string;
  readonly port: number;
  readonly text: string;
}

export class ServerList {
  readonly #owner: NodeOwner;
  readonly #options: Omit<NodeOptions, 'host' | 'port'>;
  readonly #changed: () => void;
  readonly #maxLagMs: number | undefined;
  #known: readonly Known[] = [];
  #isResolved = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #probes: NodeJS.Timeout;
  #isClosed = false;

  /** `changed`: other servers than before. `maxLagMs`: they are replicas, and asked regularly how far behind. */
  constructor(
    servers: ProxyServers,
    options: Omit<NodeOptions, 'host' | 'port'>,
    owner: NodeOwner,
    changed: () => void,
    maxLagMs?: number,
  ) {
    this.#owner = owner;
    this.#options = options;
    this.#changed = changed;
    this.#maxLagMs = maxLagMs;
    let askedAt = 0;
    this.#probes = setInterval(() => {
      const isTime = maxLagMs !== undefined && performance.now() - askedAt >= askingEveryMs(maxLagMs);
      if (isTime) askedAt = performance.now();
      for (const known of this.#known) if (isTime || !known.node.isUsable) void this.#probe(known);
    }, PROBE_HURT_MS);
    if (servers.kind === 'dns') {
      void this.#resolve(servers.name, servers.port);
    } else {
      this.#isResolved = true;
      this.#use(servers.endpoints.map(({ address, port, hashKey }) => ({ address, port, text: hashKey })));
    }
  }

  get isResolved(): boolean {
    return this.#isResolved;
  }

  get servers(): readonly Server[] {
    return this.#known;
  }

  /** With one that can be asked. */
  conversation(): Conversation | undefined {
    return this.#known.find(({ node }) => node.isUsable)?.conversation;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#probes);
    for (const known of this.#known) closeServer(known);
    this.#known = [];
  }

  async #resolve(name: string, port: number): Promise<void> {
    const found = await lookup(name, { all: true }).catch(() => []);
    if (this.#isClosed) return;
    const ipv4 = found.filter(({ family }) => family === 4);
    const addresses = ipv4.length > 0 ? ipv4 : found;
    // A name that does not resolve for a moment takes nothing away.
    if (addresses.length > 0) {
      this.#isResolved = true;
      this.#use(addresses.map(({ address }) => ({ address, port, text: addressOf(address, port) })));
    }
    this.#timer = setTimeout(() => void this.#resolve(name, port), RESOLVE_AGAIN_MS);
  }

  #use(places: readonly Place[]): void {
    const keyOf = ({ address, port, text }: Place): string => `${addressOf(address, port)} ${text}`;
    const before = new Map(this.#known.map((known) => [`${known.node.address} ${known.text}`, known]));
    if (places.length === before.size && places.every((place) => before.has(keyOf(place)))) return;
    this.#known = places.map((place) => {
      const known = before.get(keyOf(place));
      before.delete(keyOf(place));
      if (known !== undefined) return known;
      const options = { ...this.#options, host: place.address, port: place.port };
      return {
        text: place.text,
        node: new Node(options, this.#owner),
        conversation: new Conversation(options),
        isBeingProbed: false,
      };
    });
    for (const gone of before.values()) closeServer(gone);
    this.#changed();
  }

  async #probe(known: Known): Promise<void> {
    if (known.isBeingProbed) return;
    known.isBeingProbed = true;
    const { node } = known;
    const maxLagMs = this.#maxLagMs;
    const answer = await known.conversation.ask([
      ['PING'],
      ...(maxLagMs === undefined ? [] : ([['INFO', 'replication']] as const)),
    ]);
    known.isBeingProbed = false;
    if (this.#isClosed) return;
    if ('failure' in answer) {
      node.update(answer.failure === 'gone' ? { isDead: true } : { isSilent: true });
      return;
    }
    const unfit =
      judgeFitness(
        { ping: answer.values[0], replication: undefined, clusterInfo: undefined },
        { unfit: undefined, isProbed: true, primaryForMs: Infinity },
      ) ?? (maxLagMs === undefined ? undefined : judgeLink(parseReplication(answer.values[1]), maxLagMs));
    node.update({ isDead: false, isSilent: false, isProbed: true, unfit });
  }
}

function closeServer({ node, conversation }: Known): void {
  conversation.close();
  node.close('no longer used');
}
