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

/** What is asked of replicas whose primary is not known here. */
export interface Replicas {
  /** undefined: one that follows badly is read from where there is no other. */
  readonly maxLagMs: number | undefined;
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
  readonly #replicas: Replicas | undefined;
  #known: readonly Known[] = [];
  #isResolved = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #probes: NodeJS.Timeout;
  #isClosed = false;

  /** `changed`: other servers than before. `replicas`: they are, and asked regularly how they follow. */
  constructor(
    servers: ProxyServers,
    options: Omit<NodeOptions, 'host' | 'port'>,
    owner: NodeOwner,
    changed: () => void,
    replicas?: Replicas,
  ) {
    this.#owner = owner;
    this.#options = options;
    this.#changed = changed;
    this.#replicas = replicas;
    let askedAt = 0;
    this.#probes = setInterval(() => {
      const isTime =
        replicas !== undefined && performance.now() - askedAt >= askingEveryMs(replicas.maxLagMs);
      if (isTime) askedAt = performance.now();
      for (const known of this.#known) if (isTime || isAskedSoon(known.node)) void this.#probe(known);
    }, PROBE_HURT_MS);
    const isAskedSoon = ({ isUsable, isProbed }: Node): boolean =>
      !isUsable || (replicas !== undefined && !isProbed);
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
    if (this.#replicas !== undefined) for (const known of this.#known) void this.#probe(known);
  }

  async #probe(known: Known): Promise<void> {
    if (known.isBeingProbed) return;
    known.isBeingProbed = true;
    const { node } = known;
    const replicas = this.#replicas;
    const answer = await known.conversation.ask([
      ['PING'],
      ...(replicas === undefined ? [] : ([['INFO', 'replication']] as const)),
    ]);
    known.isBeingProbed = false;
    if (this.#isClosed) return;
    if ('failure' in answer) {
      node.update(answer.failure === 'gone' ? { isDead: true } : { isSilent: true });
      return;
    }
    const [ping, info] = answer.values;
    const maxLagMs = replicas?.maxLagMs;
    const problem = replicas === undefined ? undefined : judgeLink(parseReplication(info), maxLagMs);
    const refusal = judgeFitness(
      { ping, replication: undefined, clusterInfo: undefined },
      { unfit: undefined, isProbed: true, primaryForMs: Infinity },
    );
    // Without a maximum old data is better than none: its primary may be dead.
    const doubtful = maxLagMs === undefined ? problem : undefined;
    const unfit = refusal ?? (maxLagMs === undefined ? undefined : problem);
    node.update({ isDead: false, isSilent: false, isProbed: true, unfit, doubtful });
  }
}

function closeServer({ node, conversation }: Known): void {
  conversation.close();
  node.close('no longer used');
}
