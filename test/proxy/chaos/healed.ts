/**
 * Once all faults are over: nothing may be left of them, nor of clients that have gone.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ReadPolicy } from '../../../src/api/objects.ts';
import { eventually } from '../../../src/demo/eventually.ts';
import type { Proxy } from '../../../src/proxy/proxy.ts';
import type { ChaosClient } from './client.ts';
import type { ChaosCluster } from './cluster.ts';
import type { Ledger } from './ledger.ts';
import type { Plans } from './plans.ts';
import { ReplyError, ReplyReader, request, type Reply } from './replies.ts';
import { stalledSince } from './stalls.ts';
import { slotOfKey, type NodeState } from './state.ts';
import type { ChaosScanner } from './scanner.ts';
import type { ChaosSubscriber } from './subscriber.ts';

/** Connections that nobody needs stay for up to 20 s. */
const SETTLED_MS = 30_000;
/** One for questions, and one of each kind that clients share: RESP2 or RESP3, READONLY or not, of long replies or not. */
const MOST_CONNECTIONS = 9;
const READS_OF_A_SHARD = 12;
const READS_OF_SERVERS = 40;
const AGAIN_MS = 100;
/** Of a change that is over by then. */
const TOLD_MS = 5_000;
/** Longer than that, and reads may not be answered in time. */
const STALLED_MS = 300;

interface Parts {
  readonly cluster: ChaosCluster;
  readonly proxy: Proxy;
  readonly ledger: Ledger;
  readonly plans: Plans;
  readonly clients: readonly (ChaosClient | ChaosScanner | ChaosSubscriber)[];
  readonly dial: () => Socket;
}

export async function healed({ cluster, proxy, ledger, clients, plans, dial }: Parts): Promise<void> {
  const healedAt = performance.now();
  const waiting = (): typeof clients => clients.filter(({ unanswered }) => unanswered.length > 0);
  const settled = async (what: string, look: () => boolean, seen: () => string): Promise<void> => {
    await eventually(what, () => look() || undefined, { deadlineMs: SETTLED_MS, seen }).catch(
      ({ message }: Error) =>
        ledger.violation(
          message,
          waiting().map(({ name }) => `${name}#`),
          healedAt,
        ),
    );
  };
  await settled(
    'every reply',
    () => waiting().length === 0,
    () =>
      waiting()
        .map(({ name, unanswered }) => `${name}: ${unanswered.slice(0, 2).join('; ')}`)
        .join('; '),
  );
  await tellsAll(ledger, clients);
  await plans.readAll(proxy);
  const members = cluster.membersNow();
  const states = (): readonly string[] =>
    proxy
      .status()
      .filter(({ id }) => id !== 'mirror')
      .flatMap(({ nodes }) => nodes.map(({ address, state }) => `${address} ${state}`));
  await settled(
    'every node being fit',
    () => members.every((node) => states().includes(`${node.address} fit`)),
    () => states().join('; '),
  );
  for (const client of clients) client.leave();
  await settled(
    'no client being left',
    () => proxy.clients === 0,
    () => String(proxy.clients),
  );
  const tooMany = (): readonly string[] =>
    cluster.nodes.filter(({ talks }) => talks.size > MOST_CONNECTIONS).map((node) => node.name);
  await settled(
    'no connection being left that nobody needs',
    () => tooMany().length === 0,
    () => tooMany().join('; '),
  );
  const anything = anyKeys(cluster);
  const before = members.map((node) => readsOf(node, anything));
  const isReadFrom = (node: NodeState, index: number): boolean => readsOf(node, anything) > before[index]!;
  // On a busy machine one may count as silent for a moment, and is passed by then; and of servers with names the upstream for
  // reads finds one that is elsewhere by itself, maybe later than the other upstream did.
  const end = performance.now() + SETTLED_MS;
  while (!members.every(isReadFrom) && performance.now() < end) {
    await readAll(dial, cluster, anything);
    await sleep(AGAIN_MS);
  }
  if (!members.every(isReadFrom)) {
    const counts = members.map((node, index) => `${node.name} ${readsOf(node, anything) - before[index]!}`);
    ledger.violation(`not every node was read from within ${SETTLED_MS} ms: ${counts.join('; ')}`, []);
  }
  for (const [round, policy] of plans.strictPolicies.entries()) {
    await plans.give(proxy, policy);
    await settled(
      'every node that may be read from being fit',
      () => members.every((node) => !mayRead(policy, node) || states().includes(`${node.address} fit`)),
      () => states().join('; '),
    );
    const keys = keysThere(cluster, round);
    const counts = members.map((node) => readsOf(node, keys));
    await readAll(dial, cluster, keys);
    for (const [index, node] of members.entries())
      if (readsOf(node, keys) > counts[index]! && !mayRead(policy, node))
        ledger.violation(`${node.name} was read from under ${policy}`, [node.name]);
  }
}

/** Who keeps what it has read has heard of all that has changed. */
async function tellsAll(ledger: Ledger, clients: Parts['clients']): Promise<void> {
  const old = (): readonly string[] => clients.flatMap((client) => ('old' in client ? client.old : []));
  await eventually('every value that is kept', () => old().length === 0 || undefined, {
    deadlineMs: TOLD_MS,
    seen: () => old().join('; '),
  }).catch((problem: Error) => ledger.violation(problem.message, old()));
}

function mayRead(policy: ReadPolicy, { isPrimary }: NodeState): boolean {
  return (policy === 'MASTER') === isPrimary;
}

/** None of them is there. */
function anyKeys(cluster: ChaosCluster): readonly string[] {
  const { isPlain, truth } = cluster;
  if (isPlain) return Array.from({ length: READS_OF_SERVERS }, (_, key) => `any${key}`);
  const shards = [...truth.shards.keys()].filter((shard) => cluster.hasSlots(shard));
  return shards.map((shard) => {
    let tried = 0;
    while (truth.owners[slotOfKey(`any${tried}`)] !== shard) tried += 1;
    return `any${tried}`;
  });
}

/**
 * What a replica does not have may be looked for at its primary. Others in each round: of what was asked of a second node, too,
 * one may come late.
 */
function keysThere({ keys }: ChaosCluster, round: number): readonly string[] {
  return keys.flatMap((ofShard) => [...ofShard].slice(round, round + 1));
}

function readsOf(node: NodeState, keys: readonly string[]): number {
  return keys.reduce((sum, key) => sum + (node.readsOf.get(key) ?? 0), 0);
}

async function readAll(dial: () => Socket, { ledger }: ChaosCluster, keys: readonly string[]): Promise<void> {
  const since = performance.now();
  const words = keys.flatMap((key) => Array.from({ length: READS_OF_A_SHARD }, () => request(['GET', key])));
  const socket = dial();
  const replies = new ReplyReader();
  const refused: Reply[] = [];
  let count = 0;
  socket.on('data', (chunk: Buffer) =>
    replies.read(chunk.toString('latin1'), (reply) => {
      count += 1;
      if (reply instanceof ReplyError) refused.push(reply);
    }),
  );
  socket.on('error', () => {});
  socket.write(words.join(''));
  await eventually('reads', () => count === words.length || undefined).catch((problem: Error) =>
    ledger.violation(problem.message, []),
  );
  if (refused.length > 0 && stalledSince(since) < STALLED_MS)
    ledger.violation(`reads were refused: ${JSON.stringify(refused[0])}`, []);
  socket.destroy();
}
