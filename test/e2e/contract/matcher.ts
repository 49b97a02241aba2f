/**
 * Where a case's command belongs, and as which bytes: the routing of a listener alone, without a connection.
 */
import type { ProxyEndpoint, RoutingPlan, UpstreamId } from '../../../src/plan/routing-plan.ts';
import { locate } from '../../../src/proxy/client/locate.ts';
import { Routing } from '../../../src/proxy/client/routing.ts';
import { UnavailableUpstream } from '../../../src/proxy/upstream/unavailable-upstream.ts';
import type { Upstream } from '../../../src/proxy/upstream/upstream.ts';
import { KIND } from '../../../src/redis/command-table.ts';
import { maglevHost, maglevTable } from '../../../src/redis/maglev.ts';
import { REQUEST_LIMITS, RequestFrame } from '../../../src/redis/request-frame.ts';
import { slotOf } from '../../../src/redis/slots.ts';
import type { Server } from './arena.ts';
import { SETTINGS, type Case } from './cases.ts';
import { encode } from './wire.ts';

export interface Match {
  /** Names of servers, any of which may get it. */
  readonly nodes: readonly string[];
  readonly bytes: string;
  readonly isMirrored: boolean;
}

/** A place is a slot of a Redis Cluster, or a plain server. */
class Places extends UnavailableUpstream {
  /** Of the cluster. */
  readonly name: string;
  /** Names of plain servers, by place; none in a cluster. */
  readonly plain: readonly string[];
  readonly #table: Uint16Array | undefined;

  constructor(name: string, endpoints: readonly ProxyEndpoint[], servers: readonly Server[]) {
    super();
    this.name = name;
    this.plain = endpoints.map(({ port }) => servers.find(({ relay }) => relay === port)?.name ?? '');
    if (endpoints.length > 0) {
      this.#table = maglevTable(endpoints.map(({ hashKey: text }) => ({ text, weight: 1 })));
    }
  }

  override placeOf(bytes: Uint8Array = new Uint8Array(), start = 0, end = 0, tagged = false): number {
    if (this.#table === undefined) return slotOf(bytes, start, end);
    return maglevHost(this.#table, bytes.subarray(start, end), tagged);
  }
}

export class Matcher {
  readonly #routings: readonly Routing[];
  readonly #servers: readonly Server[];

  constructor(plan: RoutingPlan, servers: readonly Server[]) {
    this.#servers = servers;
    const places = new Map<UpstreamId, Places>();
    for (const [id, upstream] of plan.upstreams) {
      const [name = ''] = id.split('.');
      const endpoints =
        upstream.mode === 'proxy' && upstream.servers.kind === 'endpoints' ? upstream.servers.endpoints : [];
      places.set(id, new Places(name, endpoints, servers));
    }
    const upstreamOf = (id: UpstreamId): Upstream => places.get(id) ?? new UnavailableUpstream();
    const listeners = plan.listeners.map(({ listener }) => listener);
    this.#routings = SETTINGS.map((_, index) => {
      const listener = listeners.find(({ host }) => host.startsWith(`listener-${index}.`));
      if (listener === undefined) throw new Error(`the plan has no listener ${index}`);
      return new Routing(listener, upstreamOf);
    });
  }

  /** One for each part that a command is sent in: each key of a split one by itself. */
  match(each: Case): readonly Match[] {
    const { words, keys, command } = each;
    if (command.kind !== KIND.split) return [this.#whole(each, words)];
    const step = command.name === 'mset' ? 2 : 1;
    return keys.map((_, index) =>
      this.#whole(each, [command.name, ...words.slice(1 + index * step, 1 + (index + 1) * step)]),
    );
  }

  /** Of the case's upstream, where a key as Redis has it belongs. */
  primaryOf({ setting, route }: Case, key = ''): string {
    const bytes = Buffer.from(route.prefix, 'latin1');
    const destination = this.#routings[setting]!.find(bytes, 0, bytes.length);
    const places = destination?.upstream as Places;
    const stored = Buffer.from(key, 'latin1');
    return this.#nodes(places, places.placeOf(stored, 0, stored.length, true), setting, false)[0] ?? '';
  }

  #whole({ setting, command }: Case, words: readonly string[]): Match {
    const bytes = Buffer.from(encode(words), 'latin1');
    const frame = new RequestFrame();
    frame.begin(0);
    frame.parse(bytes, bytes.length, REQUEST_LIMITS);
    const found = locate(this.#routings[setting]!, bytes, frame, command, command.isRead);
    if (found.kind !== 'keyed') return { nodes: [], bytes: '', isMirrored: false };
    return {
      nodes: this.#nodes(found.upstream as Places, found.place, setting, command.isRead),
      bytes: found.bytes.toString('latin1', found.from, found.to),
      isMirrored: found.destination.mirrors !== null,
    };
  }

  #nodes(
    { name: upstream, plain }: Places,
    place: number,
    setting: number,
    isRead: boolean,
  ): readonly string[] {
    const server = plain[place];
    if (server !== undefined) return [server];
    const shards = this.#servers.filter(
      ({ name }) => name.startsWith(upstream) && name.endsWith(' primary'),
    ).length;
    // As the cluster was formed: each shard has the same share, in order.
    const shard = `${upstream}${Math.floor((place * shards) / 16_384)}`;
    const [primary, replica] = [`${shard} primary`, `${shard} replica`];
    if (!isRead) return [primary];
    const policy = SETTINGS[setting]?.policy ?? 'MASTER';
    if (policy === 'ANY') return [primary, replica];
    return policy.endsWith('REPLICA') ? [replica] : [primary];
  }
}
