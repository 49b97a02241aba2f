/**
 * A Redis Cluster of our own on loopback.
 */
import type { RedisBinary } from './binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from './child-process.ts';
import { eventually } from './eventually.ts';
import { startRedis, stopRedis, type RedisConfig, type RedisNode } from './redis-node.ts';

const SLOTS = 16_384;

export interface ClusterNode extends RedisNode {
  readonly id: string;
  /** Which shard it was started for; roles within it change with failovers. */
  readonly shard: number;
}

export interface ClusterOptions {
  readonly redis: RedisBinary;
  readonly shards?: number;
  readonly replicas?: number;
  readonly nodeTimeoutMs?: number;
  readonly config?: RedisConfig;
  /** What one node, by its port, has beyond it. */
  readonly configOf?: (port: number) => RedisConfig;
}

/** A shard as a node lists it in CLUSTER SLOTS. */
export interface Shard {
  readonly slots: readonly (readonly [first: number, last: number])[];
  readonly primary: number;
  readonly replicas: readonly number[];
}

/** Nodes speak with each other the more seldom the longer it is: with a minute they know each other after 10 to 20 s. */
const FORMING_TIMEOUT_MS = 3_000;
/** On a busy machine a handshake may run out of time, and gossip does not always bring the next one. */
const MEET_AGAIN_MS = 3_000;

export class RedisCluster {
  readonly #options: Required<ClusterOptions>;
  readonly #folder: string;
  #nodes: ClusterNode[] = [];

  private constructor(options: Required<ClusterOptions>, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  /** Ready when it resolves: every node knows all slots, roles and replicas, and every replica follows its primary. */
  static async start(options: ClusterOptions): Promise<RedisCluster> {
    const complete = {
      shards: 3,
      replicas: 2,
      nodeTimeoutMs: 3_000,
      config: {},
      configOf: () => ({}),
      ...options,
    };
    const cluster = new RedisCluster(complete, await temporaryFolder('cluster'));
    try {
      await cluster.#form();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get nodes(): readonly ClusterNode[] {
    return this.#nodes;
  }

  node(port: number): ClusterNode {
    const found = this.#nodes.find((node) => node.port === port);
    if (found === undefined) throw new Error(`the cluster has no node on port ${port}`);
    return found;
  }

  /** As the first node that answers sees it, by the first slot. */
  async shards(): Promise<readonly Shard[]> {
    for (const node of this.#nodes) {
      if (!node.process.isRunning()) continue;
      const seen = await node.client.cluster('SLOTS').then(parseSlots, () => undefined);
      if (seen !== undefined) return seen;
    }
    throw new Error('no node of the cluster answers');
  }

  /** A further replica of the shard; resolves once it follows its primary. */
  async addReplica(shard: number): Promise<ClusterNode> {
    const { primary } = await this.#shardOf(shard);
    const node = await this.#startNode(shard);
    this.#nodes.push(node);
    await this.#meet(node, this.node(primary));
    await this.#follow(node, this.node(primary));
    await this.#linkUp(node);
    return node;
  }

  /** Takes a replica out of the cluster: forgotten by all others, then stopped. */
  async removeReplica(node: ClusterNode, beforeStop: () => Promise<void> = async () => {}): Promise<void> {
    const others = this.#nodes.filter((other) => other !== node && other.process.isRunning());
    // A node that has not heard of it yet can't forget it, and would hear of it later.
    await Promise.all(
      others.map(({ client, port }) =>
        eventually(`port ${port} knowing the node that leaves`, async () =>
          String(await client.cluster('NODES')).includes(node.id) ? true : undefined,
        ),
      ),
    );
    await Promise.all(others.map(({ client }) => client.cluster('FORGET', node.id)));
    await beforeStop();
    await stopRedis(node);
    this.#nodes = this.#nodes.filter((other) => other !== node);
  }

  /** Kills it at once; it stays in `nodes`, and `restart` brings it back. */
  async kill(node: ClusterNode): Promise<void> {
    node.process.signal('SIGKILL');
    await node.process.ended;
  }

  /** Under its old ports and its old id; resolves once it answers, which is before it has its data again. */
  async restart(node: ClusterNode): Promise<ClusterNode> {
    node.client.disconnect();
    const again = await this.#startNode(node.shard, { before: node });
    this.#nodes = this.#nodes.map((other) => (other === node ? again : other));
    return again;
  }

  /** Waits until every running node says that all slots are served, is connected to the others, and follows its primary. */
  async settled(): Promise<void> {
    const running = this.#nodes.filter((node) => node.process.isRunning());
    const expected = running.length;
    await Promise.all(
      running.map(async (node) => {
        let last = '';
        let metAt = performance.now();
        await eventually(
          `port ${node.port} seeing the whole cluster`,
          async () => {
            const info = await node.client.cluster('INFO');
            const seen = String(await node.client.cluster('NODES'));
            const listed = (await node.client.cluster('SLOTS').then(parseSlots)).flatMap(
              ({ primary, replicas }) => [primary, ...replicas],
            );
            const unknown = running.filter(({ id }) => !seen.includes(id));
            if (unknown.length > 0 && performance.now() - metAt > MEET_AGAIN_MS) {
              metAt = performance.now();
              await Promise.all(unknown.map((other) => this.#meet(node, other)));
            }
            // What is published goes only where a node is connected to already.
            const isConnected = running.every(({ id }) =>
              new RegExp(`^${id} .* connected\\b`, 'm').test(seen),
            );
            const isWhole = info.includes('cluster_state:ok') && listed.length === expected;
            last = `${/^cluster_state:.*$/m.exec(info)?.[0]}, ${listed.length} of ${expected} listed, of ${seen}`;
            return isWhole && isConnected ? true : undefined;
          },
          { everyMs: 50, seen: () => last },
        );
        await this.#linkUp(node);
      }),
    );
  }

  /** Resolves once every running replica has what its primary has now. */
  async replicated(): Promise<void> {
    for (const { primary, replicas } of await this.shards()) {
      const offset = offsetIn(await this.node(primary).client.info('replication'), 'master_repl_offset');
      for (const node of replicas
        .map((port) => this.node(port))
        .filter(({ process }) => process.isRunning())) {
        await eventually(`port ${node.port} having what its primary has`, async () =>
          offsetIn(await node.client.info('replication'), 'slave_repl_offset') >= offset ? true : undefined,
        );
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map(stopRedis));
    await removeFolder(this.#folder);
  }

  async #form(): Promise<void> {
    const { shards, replicas, nodeTimeoutMs } = this.#options;
    const starting = Array.from({ length: shards * (replicas + 1) }, (_, index) =>
      this.#startNode(index % shards, { nodeTimeoutMs: Math.min(nodeTimeoutMs, FORMING_TIMEOUT_MS) }),
    );
    // Those that did start are known, and so stopped, where another one can't.
    const started = await Promise.allSettled(starting);
    this.#nodes = started.flatMap((node) => (node.status === 'fulfilled' ? [node.value] : []));
    await Promise.all(starting);
    const [first] = this.#nodes;
    if (first === undefined) return;
    const primaries = this.#nodes.slice(0, shards);
    await Promise.all(
      primaries.map(async ({ client }, shard) => {
        const from = Math.floor((shard * SLOTS) / shards);
        const to = Math.floor(((shard + 1) * SLOTS) / shards) - 1;
        await client.cluster('ADDSLOTSRANGE', from, to);
        // Distinct epochs, or the primaries would have to settle a collision first.
        await client.cluster('SET-CONFIG-EPOCH', shard + 1);
      }),
    );
    // Everybody with everybody: gossip would take seconds to spread the news.
    for (const node of this.#nodes) {
      await Promise.all(
        this.#nodes.filter((other) => other !== node).map((other) => this.#meet(node, other)),
      );
    }
    await Promise.all(
      this.#nodes.slice(shards).map(async (node) => {
        const primary = primaries[node.shard];
        if (primary !== undefined) await this.#follow(node, primary);
      }),
    );
    await this.settled();
    for (const { client } of this.#nodes) await client.config('SET', 'cluster-node-timeout', nodeTimeoutMs);
  }

  async #startNode(
    shard: number,
    how: { readonly before?: ClusterNode; readonly nodeTimeoutMs?: number } = {},
  ): Promise<ClusterNode> {
    const { redis, config, configOf } = this.#options;
    const { before, nodeTimeoutMs = this.#options.nodeTimeoutMs } = how;
    const [port = 0, busPort = 0] = before === undefined ? await freePorts(2) : [before.port, before.busPort];
    const node = await startRedis({
      server: redis.server,
      folder: this.#folder,
      port,
      busPort,
      config: { 'cluster-node-timeout': String(nodeTimeoutMs), ...config, ...configOf(port) },
    });
    return { ...node, shard, id: await node.client.cluster('MYID') };
  }

  async #meet(node: ClusterNode, known: ClusterNode): Promise<void> {
    await node.client.call('CLUSTER', 'MEET', '127.0.0.1', String(known.port), String(known.busPort));
  }

  async #follow(node: ClusterNode, primary: ClusterNode): Promise<void> {
    await eventually(`port ${node.port} following port ${primary.port}`, async () => {
      // Refused until gossip has told it of the primary.
      await node.client.cluster('REPLICATE', primary.id);
      return true;
    });
  }

  async #linkUp(node: ClusterNode): Promise<void> {
    await eventually(`replication of port ${node.port}`, async () => {
      const info = await node.client.info('replication');
      return info.includes('role:master') || info.includes('master_link_status:up') ? true : undefined;
    });
  }

  async #shardOf(shard: number): Promise<Shard> {
    const found = (await this.shards())[shard];
    if (found === undefined) throw new Error(`the cluster has no shard ${shard}`);
    return found;
  }
}

function offsetIn(info: string, field: string): number {
  return Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? Number.NaN);
}

type SlotsReply = readonly (readonly [number, number, ...(readonly [string, number])[]])[];

function parseSlots(reply: unknown): readonly Shard[] {
  const byPrimary = new Map<number, Shard>();
  for (const [first, last, primary, ...replicas] of reply as SlotsReply) {
    if (primary === undefined) continue;
    const known = byPrimary.get(primary[1]);
    byPrimary.set(primary[1], {
      slots: [...(known?.slots ?? []), [first, last]],
      primary: primary[1],
      replicas: replicas.map(([, port]) => port),
    });
  }
  return [...byPrimary.values()].sort((a, b) => (a.slots[0]?.[0] ?? 0) - (b.slots[0]?.[0] ?? 0));
}
