/**
 * Nodes that die and come back, where they were or elsewhere.
 */
import { Locked, ofShard, view, type Fault } from './locked.ts';
import type { ScriptedNode } from './node.ts';

/**
 * A replica that has just started, or lost its data: it is listed before it has got it, or only then. `host`: where it is
 * now, if that is another one.
 */
export async function startAgain(
  setting: Locked,
  node: ScriptedNode,
  isReplica: boolean,
  host = node.host,
): Promise<void> {
  const { cluster, random } = setting;
  const { shard } = node;
  node.isEmpty = isReplica;
  node.isLinkUp = !isReplica;
  node.linkDownAt = performance.now();
  node.isLoading = random.chance(0.6);
  node.refusal = random.chance(0.4) ? 'CLUSTERDOWN The cluster is down' : undefined;
  if (host !== node.host) cluster.moveTo(node.index, host);
  await node.restart();
  setting.note(`${node.name} is back at ${node.host}, ${isReplica ? 'empty' : 'as primary'}`);
  await setting.pause(0, 300);
  node.refusal = undefined;
  node.isLoading = false;
  if (!isReplica) return;
  const listed = (): void => {
    const { replicas } = cluster.truth.shards[shard]!;
    if (!replicas.includes(node.index))
      cluster.changeShard(shard, { replicas: [...replicas, node.index] }, [], false);
  };
  if (random.chance(0.5)) listed();
  await setting.pause(0, 600);
  node.isEmpty = false;
  node.isLinkUp = true;
  setting.note(`${node.name} has its primary's data`);
  listed();
}

export const addressChanges: Fault = ofShard(async (setting, shard) => {
  const { cluster, random } = setting;
  const { primary, replicas } = view(setting, shard);
  const node = cluster.nodes[random.pick([primary, ...replicas])!]!;
  if (node.state !== 'up') return;
  setting.note(`${node.name} dies, and will be elsewhere`);
  await dieFor(setting, [node], [cluster.newHost()]);
});

export const addressesSwap: Fault = async (setting) => {
  const taken = setting.take(setting.random.pick([1, 2])!);
  if (taken === undefined) return false;
  const { cluster, random } = setting;
  const candidates = taken.flatMap((shard) => {
    const { primary, replicas } = view(setting, shard);
    return [primary, ...replicas].map((index) => cluster.nodes[index]!);
  });
  const one = random.pick(candidates.filter(({ isFit }) => isFit));
  const other = random.pick(
    candidates.filter(
      (node) => node.isFit && node !== one && (taken.length === 1 || node.shard !== one?.shard),
    ),
  );
  if (one !== undefined && other !== undefined) {
    setting.note(`${one.name} and ${other.name} die, and will have each other's address`);
    await dieFor(setting, [one, other], [other.host, one.host]);
  }
  setting.give(taken);
  return one !== undefined && other !== undefined;
};

/** All at once, and come back at `hosts`; who was primary still is. */
async function dieFor(
  setting: Locked,
  nodes: readonly ScriptedNode[],
  hosts: readonly string[],
): Promise<void> {
  const { cluster } = setting;
  const ofPrimaries = nodes.filter(({ index, shard }) => view(setting, shard).primary === index);
  const replicas = ofPrimaries.flatMap(({ shard }) =>
    view(setting, shard).replicas.map((index) => cluster.nodes[index]!),
  );
  for (const node of nodes) node.die();
  const noteSwap = (): void => {
    if (nodes.length > 1) cluster.scansFailedAt = performance.now();
  };
  noteSwap();
  for (const replica of replicas) [replica.isLinkUp, replica.linkDownAt] = [false, performance.now()];
  await setting.pause(20, 400);
  await Promise.all(
    nodes.map(async (node, index) => {
      await setting.pause(0, 100);
      await startAgain(setting, node, !ofPrimaries.includes(node), hosts[index]);
    }),
  );
  noteSwap();
  await setting.pause(0, 200);
  for (const replica of replicas) replica.isLinkUp = true;
}
