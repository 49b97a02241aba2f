/**
 * Plain servers as an upstream: keys are spread over them by Maglev, as Envoy does it.
 */
import { lookup } from 'node:dns/promises';

import type { ProxyUpstream } from '../plan/routing-plan.ts';
import { maglevHost, maglevTable } from '../redis/maglev.ts';
import { Conversation } from './conversation.ts';
import { judgeFitness } from './fitness.ts';
import { Node, addressOf } from './node.ts';
import type { Request } from './request.ts';
import { Upstream, type UpstreamSettings } from './upstream.ts';

const RESOLVE_AGAIN_MS = 5_000;
const PROBE_HURT_MS = 100;

interface Server {
  readonly text: string;
  readonly node: Node;
  readonly conversation: Conversation;
  isBeingProbed: boolean;
}

export class ShardedUpstream extends Upstream {
  readonly #plan: ProxyUpstream;
  #servers: readonly Server[] = [];
  #table = maglevTable([]);
  #timer: NodeJS.Timeout | undefined;
  readonly #probes: NodeJS.Timeout;
  #isClosed = false;

  constructor(plan: ProxyUpstream, settings: UpstreamSettings) {
    super(settings);
    this.#plan = plan;
    this.#probes = setInterval(() => {
      for (const server of this.#servers) if (!server.node.isUsable) void this.#probe(server);
    }, PROBE_HURT_MS);
    if (plan.servers.kind === 'dns') {
      void this.#resolve(plan.servers.name, plan.servers.port);
    } else {
      this.#use(
        plan.servers.endpoints.map(({ address, port, hashKey }) => ({ address, port, text: hashKey })),
      );
    }
  }

  get isReady(): boolean {
    return this.#servers.length > 0 || this.#plan.servers.kind === 'endpoints';
  }

  placeOf(bytes: Uint8Array, start: number, end: number): number {
    const count = this.#servers.length;
    if (count <= 1) return 0;
    return maglevHost(this.#table, bytes.subarray(start, end), false);
  }

  anyPlace(): number {
    return Math.floor(Math.random() * this.#servers.length);
  }

  protected choose(request: Request): Node | null {
    const node = this.#servers[request.place]?.node;
    return node?.isUsable === true ? node : null;
  }

  protected *nodes(): Iterable<Node> {
    for (const { node } of this.#servers) yield node;
  }

  protected redirected(): undefined {
    return undefined;
  }

  changed(node: Node): void {
    if (node.isUsable) this.retryHeld();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#probes);
    for (const server of this.#servers) closeServer(server);
    this.#servers = [];
  }

  async #resolve(name: string, port: number): Promise<void> {
    const found = await lookup(name, { all: true }).catch(() => []);
    if (this.#isClosed) return;
    const ipv4 = found.filter(({ family }) => family === 4);
    const addresses = ipv4.length > 0 ? ipv4 : found;
    // A name that does not resolve for a moment takes nothing away.
    if (addresses.length > 0) {
      this.#use(addresses.map(({ address }) => ({ address, port, text: addressOf(address, port) })));
    }
    this.#timer = setTimeout(() => void this.#resolve(name, port), RESOLVE_AGAIN_MS);
  }

  #use(places: readonly { readonly address: string; readonly port: number; readonly text: string }[]): void {
    const before = new Map(this.#servers.map((server) => [`${server.node.address} ${server.text}`, server]));
    if (places.length === before.size) {
      const same = places.every(({ address, port, text }) =>
        before.has(`${addressOf(address, port)} ${text}`),
      );
      if (same) return;
    }
    const { connectTimeoutMs, credentials } = this.#plan;
    this.#servers = places.map(({ address, port, text }) => {
      const key = `${addressOf(address, port)} ${text}`;
      const known = before.get(key);
      before.delete(key);
      if (known !== undefined) return known;
      const options = { host: address, port, connectTimeoutMs, credentials, isClusterNode: false };
      return {
        text,
        node: new Node(options, this),
        conversation: new Conversation(options),
        isBeingProbed: false,
      };
    });
    this.#table = maglevTable(this.#servers.map(({ text }) => ({ text, weight: 1 })));
    for (const gone of before.values()) closeServer(gone);
    this.retryHeld();
  }

  async #probe(server: Server): Promise<void> {
    if (server.isBeingProbed) return;
    server.isBeingProbed = true;
    const { node } = server;
    const answer = await server.conversation.ask([['PING']]);
    server.isBeingProbed = false;
    if (this.#isClosed) return;
    if ('failure' in answer) {
      node.update(answer.failure === 'gone' ? { isDead: true } : { isSilent: true });
      return;
    }
    const unfit = judgeFitness(
      { ping: answer.values[0], replication: undefined, clusterInfo: undefined },
      { unfit: undefined, isProbed: true, isPrimaryUsable: true },
    );
    node.update({ isDead: false, isSilent: false, unfit });
  }
}

function closeServer({ node, conversation }: Server): void {
  conversation.close();
  node.close('no longer used');
}
