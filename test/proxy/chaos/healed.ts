/**
 * Once all faults are over: nothing may be left of them, nor of clients that have gone.
 */
import { connect } from 'node:net';

import { eventually } from '../../../src/demo/eventually.ts';
import type { Proxy } from '../../../src/proxy/proxy.ts';
import type { ChaosClient } from './client.ts';
import type { ChaosCluster } from './cluster.ts';
import type { Ledger } from './ledger.ts';
import type { Plans } from './plans.ts';
import { request } from './replies.ts';
import { slotOfKey } from './state.ts';
import type { ChaosSubscriber } from './subscriber.ts';

const SETTLED_MS = 20_000;
/** One for questions, and one of each kind that clients share: RESP2 or RESP3, READONLY or not, of long replies or not. */
const MOST_CONNECTIONS = 9;
const READS_OF_A_SHARD = 12;

interface Parts {
  readonly cluster: ChaosCluster;
  readonly proxy: Proxy;
  readonly ledger: Ledger;
  readonly plans: Plans;
  readonly clients: readonly (ChaosClient | ChaosSubscriber)[];
  readonly port: number;
}

export async function healed({ cluster, proxy, ledger, clients, plans, port }: Parts): Promise<void> {
  const settled = async (what: string, look: () => boolean, seen: () => string): Promise<void> => {
    await eventually(what, () => look() || undefined, { deadlineMs: SETTLED_MS, seen }).catch(
      (problem: Error) => ledger.violation(problem.message, []),
    );
  };
  await settled(
    'every reply',
    () => clients.every(({ unanswered }) => unanswered.length === 0),
    () => clients.flatMap(({ unanswered }) => unanswered.slice(0, 2)).join('; '),
  );
  const members = cluster.membersNow();
  const states = (): readonly string[] =>
    proxy
      .status()
      .filter(({ id }) => id !== 'mirror')
      .flatMap(({ nodes }) => nodes.map(({ address, state }) => `${address} ${state}`));
  await settled(
    'every node being fit',
    () => members.every((node) => states().includes(`127.0.0.1:${node.port} fit`)),
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
  plans.policy = 'ANY';
  await plans.give(proxy);
  const before = members.map(({ reads }) => reads);
  await readAll(port, cluster);
  await settled(
    'every node being read from',
    () => members.every(({ reads }, index) => reads > before[index]!),
    () => members.map(({ name, reads }, index) => `${name} ${reads - before[index]!}`).join('; '),
  );
}

async function readAll(port: number, cluster: ChaosCluster): Promise<void> {
  const words: string[] = [];
  for (const shard of cluster.truth.shards.keys()) {
    let tried = 0;
    while (cluster.truth.owners[slotOfKey(`any${tried}`)] !== shard) tried += 1;
    for (let count = 0; count < READS_OF_A_SHARD; count++) words.push(request(['GET', `any${tried}`]));
  }
  const socket = connect({ host: '127.0.0.1', port });
  let got = '';
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')));
  socket.on('error', () => {});
  socket.write(words.join(''));
  await eventually('reads', () => got.length === words.length * '$-1\r\n'.length || undefined, {
    seen: () => got,
  }).catch((problem: Error) => cluster.ledger.violation(problem.message, []));
  socket.destroy();
}
