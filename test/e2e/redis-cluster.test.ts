import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needRedis } from './environment.ts';

for (const from of ['path', 'wheel'] as const) {
  test(`a cluster of our own from the ${from}: complete at once, and nodes come and go`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const password = { requirepass: 'sesame', masterauth: 'sesame' };
    const cluster = await RedisCluster.start({ redis, config: password });
    t.after(() => cluster.stop());
    for (const { client } of cluster.nodes) {
      assert.match(await client.cluster('INFO'), /cluster_state:ok[^]*cluster_slots_ok:16384/);
    }
    const shards = await cluster.shards();
    assert.deepEqual(
      shards.map(({ replicas }) => replicas.length),
      [2, 2, 2],
    );

    const replica = cluster.node(shards[0]?.replicas[0] ?? 0);
    await cluster.kill(replica);
    assert.equal(replica.process.isRunning(), false);
    const again = await cluster.restart(replica);
    await cluster.settled();
    assert.deepEqual([again.port, again.busPort, again.id], [replica.port, replica.busPort, replica.id]);

    const added = await cluster.addReplica(2);
    await cluster.settled();
    assert.ok((await cluster.shards())[2]?.replicas.includes(added.port));
    await cluster.removeReplica(added);
    await cluster.settled();
    assert.ok(!(await cluster.shards())[2]?.replicas.includes(added.port));
  });
}

const ENDINGS: [how: string, signal: NodeJS.Signals | undefined, statement: string][] = [
  ['by SIGTERM', 'SIGTERM', ''],
  ['by SIGINT', 'SIGINT', ''],
  ['by SIGHUP', 'SIGHUP', ''],
  ['by an error that nobody caught', undefined, 'throw new Error("as the test wants it");'],
];

for (const [how, signal, statement] of ENDINGS) {
  test(`a process that ends ${how} takes its servers and their files with it`, async (t) => {
    const redis = await needRedis(t);
    if (redis === undefined) return;
    const module = (file: string): string =>
      fileURLToPath(new URL(`../../src/demo/${file}`, import.meta.url));
    const script = `
      const { temporaryFolder } = await import(${JSON.stringify(module('child-process.ts'))});
      const { startRedis } = await import(${JSON.stringify(module('redis-node.ts'))});
      const folder = await temporaryFolder('ending');
      const { process: { pid } } = await startRedis({ server: ${JSON.stringify(redis.server)}, folder });
      process.stdout.write(JSON.stringify({ pid, folder }) + '\\n');
      ${statement}`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    t.after(() => child.kill('SIGKILL'));
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_, by) => resolve(by)));
    await eventually('a server of the process', () => (said.endsWith('\n') ? true : undefined));
    const { pid, folder } = JSON.parse(said) as { readonly pid: number; readonly folder: string };
    if (signal !== undefined) child.kill(signal);
    assert.equal(await ended, signal ?? null);
    await eventually('the end of its server', () => (isAlive(pid) ? undefined : true));
    assert.equal(existsSync(folder), false);
  });
}

/** A process that has ended stays listed until its parent, then init, has asked for its status. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
