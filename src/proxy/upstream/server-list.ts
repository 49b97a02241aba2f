/**
 * Plain servers by address or name: names are resolved again and again, servers that can't be asked are asked how they
 * are until they can.
 */
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';

import type { Logger } from 'pino';

import { addressOf } from '../../api/host-port.ts';
import type { ProxyEndpoint, ProxyServers } from '../../plan/routing-plan.ts';
import { Conversation, refusalIn } from '../topology/conversation.ts';
import { judgeLink, judgePing, judgePrimary } from '../topology/fitness.ts';
import { askingEveryMs, withoutLag } from '../topology/lag.ts';
import { LeavingNodes } from '../topology/leaving-nodes.ts';
import { Node, type NodeOwner } from '../topology/node.ts';
import type { NodeOptions } from '../topology/node-options.ts';
import { parseReplication, type ReplicationInfo } from '../topology/topology.ts';
import { ServerLogin } from './server-login.ts';

const RESOLVE_AGAIN_MS = 5_000;
const PROBE_HURT_MS = 100;

export interface Server {
  /** What Maglev places it by. */
  readonly text: string;
  readonly node: Node;
}

interface Known extends Server {
  text: string;
  readonly conversation: Conversation;
  readonly login: ServerLogin;
  isBeingProbed: boolean;
}

/** What is asked of replicas whose primary is not known here. */
export interface Replicas {
  /** undefined: one that follows badly is read from where there is no other. */
  readonly maxLagMs: number | undefined;
  /** What each said last, of all lists together; not those that can't be asked. */
  readonly said: Map<Node, ReplicationInfo>;
}

export interface ListOptions {
  /** Other servers than before. */
  readonly changed: (gone: readonly Node[]) => void;
  readonly log: Logger;
  /** They are, and asked regularly how they follow. */
  readonly replicas?: Replicas;
}

interface Place {
  readonly address: string;
  readonly port: number;
  readonly text: string;
}

export class ServerList {
  readonly #owner: NodeOwner;
  readonly #options: Omit<NodeOptions, 'host' | 'port'>;
  readonly #changed: (gone: readonly Node[]) => void;
  readonly #replicas: Replicas | undefined;
  #known: readonly Known[] = [];
  readonly #leaving = new LeavingNodes();
  readonly #log: Logger;
  #isResolved = false;
  /** That the name had no address last time, and why; undefined: it had one. */
  #unresolved: string | undefined;
  /** The first servers have been asked whether they let us in. */
  #areLoginsAsked = false;
  /** That a server does not say how it follows. */
  #isUnboundedTold = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #probes: NodeJS.Timeout;
  #isClosed = false;

  constructor(
    servers: ProxyServers,
    options: Omit<NodeOptions, 'host' | 'port'>,
    owner: NodeOwner,
    { changed, log, replicas }: ListOptions,
  ) {
    this.#owner = owner;
    this.#options = options;
    this.#changed = changed;
    this.#log = log;
    this.#replicas = replicas;
    let askedAt = 0;
    this.#probes = setInterval(() => {
      const isTime =
        replicas !== undefined && performance.now() - askedAt >= askingEveryMs(replicas.maxLagMs);
      if (isTime) askedAt = performance.now();
      for (const known of this.#known) {
        if (isTime || isAskedSoon(known.node)) void this.#probe(known);
        if (known.login.isDue) void known.login.ask();
      }
    }, PROBE_HURT_MS);
    if (servers.kind === 'dns') {
      void this.#resolve(servers.name, servers.port);
    } else {
      this.#isResolved = true;
      this.use(servers.endpoints);
    }
  }

  /** Those and no others from now on. */
  use(endpoints: readonly ProxyEndpoint[]): void {
    this.#use(endpoints.map(({ address, port, hashKey }) => ({ address, port, text: hashKey })));
  }

  /** It is known where they are, and whether they let us in. */
  get isReady(): boolean {
    return this.#isResolved && this.#areLoginsAsked;
  }

  /** Why it is not known where they are, or that there are none; undefined: it is. */
  get problem(): string | undefined {
    if (!this.#isResolved) return this.#unresolved;
    return this.#known.length === 0 ? 'it has no servers' : undefined;
  }

  /** Why none of them lets us in; undefined: one may. */
  get refusal(): string | undefined {
    const said = this.#known.filter(({ login }) => login.isKnown);
    const refusals = said.map(({ node }) => node.refusal);
    return refusals.includes(undefined) ? undefined : refusals[0];
  }

  get servers(): readonly Server[] {
    return this.#known;
  }

  /** Some that have gone are waited for. */
  get hasLeaving(): boolean {
    return !this.#leaving.isEmpty;
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
    this.#leaving.closeAll();
    this.#known = [];
  }

  async #resolve(name: string, port: number): Promise<void> {
    const found = await lookup(name, { all: true }).catch((error: NodeJS.ErrnoException) => error);
    if (this.#isClosed) return;
    const isLost = found instanceof Error;
    this.#tellUnresolved(isLost ? `${name} has no address (${found.code ?? found.message})` : undefined);
    this.#useFound(isLost ? [] : found, port);
    this.#timer = setTimeout(() => void this.#resolve(name, port), RESOLVE_AGAIN_MS);
  }

  /** Once, as long as it stays the same. */
  #tellUnresolved(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#unresolved)
      this.#log.warn(`${problem}${this.#isResolved ? '; those before stay' : ''}`);
    this.#unresolved = problem;
  }

  #useFound(found: readonly LookupAddress[], port: number): void {
    const ipv4 = found.filter(({ family }) => family === 4);
    const addresses = ipv4.length > 0 ? ipv4 : found;
    // A name that does not resolve for a moment takes nothing away.
    if (addresses.length === 0) return;
    this.#isResolved = true;
    this.#use(addresses.map(({ address }) => ({ address, port, text: addressOf(address, port) })));
  }

  #use(places: readonly Place[]): void {
    const before = new Map(this.#known.map((known) => [known.node.address, known]));
    const wanted = distinct(places);
    const isThere = ([address, { text }]: [string, Place]): boolean => before.get(address)?.text === text;
    if (wanted.size === before.size && [...wanted].every(isThere)) return;
    this.#known = Array.from(wanted, ([address, place]) => {
      const known = before.get(address) ?? this.#newServer(place);
      before.delete(address);
      // Placed by another text it is the same server: what is asked of it must not overtake what was.
      known.text = place.text;
      return known;
    });
    // First, so that what those that are gone do not answer finds the others.
    this.#changed([...before.values()].map(({ node }) => node));
    for (const gone of before.values()) {
      this.#replicas?.said.delete(gone.node);
      this.#leaving.leave(gone.node, () => closeServer(gone));
    }
    if (this.#replicas !== undefined) for (const known of this.#known) void this.#probe(known);
    void this.#askLogins(this.#known.filter(({ login }) => login.isUnasked));
  }

  #newServer({ address, port, text }: Place): Known {
    const options = { ...this.#options, host: address, port };
    const node = new Node(options, this.#owner);
    if (this.#replicas !== undefined) node.role = 'replica';
    return {
      text,
      node,
      // Where clients have only connections of their own to it, nothing else tells that it has gone.
      conversation: new Conversation(options, () => node.update({ isProbed: false })),
      login: new ServerLogin(node),
      isBeingProbed: false,
    };
  }

  async #askLogins(fresh: readonly Known[]): Promise<void> {
    await Promise.all(fresh.map(({ login }) => login.askFirst()));
    this.#areLoginsAsked = true;
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
    if (this.#isClosed || !this.#known.includes(known)) return;
    replicas?.said.delete(node);
    const refusal = refusalIn(answer);
    if (refusal !== undefined) {
      known.login.refused(refusal);
      // It is there; commands get its own answer, but from servers for reads only where no other is.
      const doubtful = replicas && refusal;
      node.update({ isDead: false, isSilent: false, isProbed: true, unfit: undefined, doubtful });
      return;
    }
    if ('failure' in answer) {
      if (answer.failure === 'silent') node.update({ isSilent: true });
      else node.notReached(answer.why);
      return;
    }
    const [ping, info] = answer.values;
    const maxLagMs = replicas?.maxLagMs;
    const replication = replicas && parseReplication(info);
    // Of servers for reads: the primary may be among them.
    node.role = replication?.role ?? node.role;
    const problem =
      judgeLink(replication, maxLagMs) ??
      judgePrimary(replication, [...(replicas?.said.values() ?? [])], maxLagMs);
    if (replication !== undefined) replicas?.said.set(node, replication);
    const state = judgePing(ping);
    if (maxLagMs !== undefined && replication === undefined && state === undefined) this.#tellUnbounded(node);
    // Without a maximum old data is better than none: its primary may be dead.
    const doubtful = maxLagMs === undefined ? problem : undefined;
    const unfit = state ?? (maxLagMs === undefined ? undefined : problem);
    node.update({ isDead: false, isSilent: false, isProbed: true, unfit, doubtful });
  }

  /** Once. */
  #tellUnbounded({ address }: Node): void {
    if (!this.#isUnboundedTold) this.#log.warn(withoutLag(address));
    this.#isUnboundedTold = true;
  }
}

/** By address, the first of each, as Envoy does it: lists of hosts may have one several times. */
function distinct(places: readonly Place[]): ReadonlyMap<string, Place> {
  const found = new Map<string, Place>();
  for (const place of places) {
    const address = addressOf(place.address, place.port);
    if (!found.has(address)) found.set(address, place);
  }
  return found;
}

function isAskedSoon({ isUsable, isProbed }: Node): boolean {
  return !isUsable || !isProbed;
}

function closeServer({ node, conversation }: Known): void {
  conversation.close();
  node.close('no longer used');
}
