/**
 * Asks the nodes of a Redis Cluster how they are, and notes of each whether it may be read from.
 */
import { judgeFitness } from './fitness.ts';
import { withEach, type KnownNode } from './known-node.ts';
import type { LagJudge } from './lag-judge.ts';
import { Promotions } from './promotions.ts';
import type { Shard } from './shard.ts';
import { parseReplication, parseZone } from './topology.ts';

export class Probe {
  readonly promotions = new Promotions();
  asksZones = false;
  readonly #zone: string | undefined;
  readonly #lagJudge: LagJudge | undefined;
  readonly #toldMembers: (shard: Shard, members: unknown) => void;
  readonly #warn: (problem: string) => void;

  /**
   * `zone`: where we are. `lagJudge` undefined: no replica is too far behind. `toldMembers`: what the primary of a shard
   * says to CLUSTER NODES. `warn`: told of a replica that is denied to be read from, once until it is not.
   */
  constructor(
    zone: string | undefined,
    lagJudge: LagJudge | undefined,
    toldMembers: (shard: Shard, members: unknown) => void,
    warn: (problem: string) => void,
  ) {
    this.#zone = zone;
    this.#lagJudge = lagJudge;
    this.#toldMembers = toldMembers;
    this.#warn = warn;
  }

  async all(nodes: readonly KnownNode[], shards: readonly Shard[]): Promise<void> {
    const primaries = shards.map(({ primary }) => primary);
    // What replicas have is measured by what their primaries had before.
    const first = nodes.filter(({ node }) => this.#lagJudge !== undefined && primaries.includes(node));
    const rest = nodes.filter((known) => !first.includes(known));
    for (const some of [first, rest]) await withEach(some, (known) => this.#ask(known, shards));
  }

  async #ask(known: KnownNode, shards: readonly Shard[]): Promise<void> {
    const { node } = known;
    const askedAt = performance.now();
    const shard = shards.find((each) => each.has(node));
    const said = await known.ask({
      ping: ['PING'],
      replication: ['INFO', 'replication'],
      clusterInfo: ['CLUSTER', 'INFO'],
      ...(shard?.primary === node ? { nodes: ['CLUSTER', 'NODES'] } : {}),
      ...(shard?.primary !== node && node.reads > 0 ? { permission: ['READONLY'] } : {}),
      ...(this.asksZones ? { server: ['INFO', 'server'] } : {}),
    });
    if (said === undefined) return;
    const { ping, clusterInfo, nodes, server, permission } = said;
    const replication = parseReplication(said['replication']);
    const { unfit: unfitBefore, isProbed } = node;
    const unfit =
      judgeFitness(
        { ping, replication, clusterInfo },
        { unfit: unfitBefore, isProbed, primaryForMs: this.promotions.primaryForMs(shard) },
      ) ??
      (shard && this.#lagJudge?.judge(node, shard.primary, replication, askedAt));
    node.saysReplica = replication?.role === 'replica';
    node.zone = this.asksZones ? parseZone(server) : undefined;
    const isNear = node.zone !== undefined && node.zone === this.#zone;
    const doubtful = denialOf(permission);
    if (doubtful !== undefined && node.doubtful === undefined) this.#warn(`${node.address} ${doubtful}`);
    node.update({ isDead: false, isSilent: false, isProbed: true, unfit, isNear, doubtful });
    if (shard?.primary === node) this.#toldMembers(shard, nodes);
  }
}

/** A replica that is not told READONLY answers each read with the way to its primary. */
function denialOf(permission: unknown): string | undefined {
  if (!(permission instanceof Error) || !permission.message.startsWith('NOPERM')) return undefined;
  return `sends reads to its primary (${permission.message.replace(/\.$/, '')}); let its user run READONLY`;
}
