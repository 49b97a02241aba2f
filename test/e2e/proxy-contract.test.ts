/**
 * Every command with a key, under every policy, through a real Envoy and through our proxy, from the same objects: the same
 * kind of node carries it out, and the reply is the same. What differs is a list.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';

import { pino } from 'pino';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { PROXY_DEFAULTS, followFiles } from '../../src/commands/proxy-files.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { Proxy } from '../../src/proxy/proxy.ts';
import { KIND, allCommands, type Command } from '../../src/redis/command-table.ts';
import { keyArguments } from '../../src/redis/keys.ts';
import { needBinaries } from './environment.ts';
import { hostObjects } from './objects.ts';
import { client } from './proxy-setting.ts';
import { answerOf, connect, startSidecar } from './sidecar.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA'];

/** Where Envoy 1.40 does otherwise, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  eval: 'Envoy wants an argument behind numkeys',
  evalsha: 'Envoy wants an argument behind numkeys',
  zdiff: 'Envoy hashes numkeys, and is redirected to the primary',
  zinter: 'Envoy hashes numkeys, and is redirected to the primary',
  zunion: 'Envoy hashes numkeys, and is redirected to the primary',
};

/** Not of one key and one node: told of elsewhere. */
const ELSEWHERE: ReadonlySet<number> = new Set([
  KIND.local,
  KIND.split,
  KIND.keyless,
  KIND.everywhere,
  KIND.scan,
  KIND.transaction,
  KIND.blocking,
  KIND.pubsub,
  KIND.refused,
]);

/** As short as its arity allows, with the one key wherever a key stands. */
function callOf(command: Command): readonly string[] {
  const count = Math.max(Math.abs(command.arity), 3);
  const words = Array.from({ length: command.arity > 0 ? command.arity : count }, () => '1');
  words[0] = command.name;
  if (command.name === 'object') words.splice(1, 2, 'encoding', '1');
  if (command.name === 'memory') words.splice(1, 2, 'usage', '1');
  for (const index of keyArguments(command.keys, words.length, (at) => words[at] ?? '')) {
    words[index] = `{contract}${command.name}`;
  }
  return words;
}

test('the proxy does what Envoy does, command by command', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const cluster = await RedisCluster.start({ redis: binaries.redis, replicas: 1 });
  t.after(() => cluster.stop());
  const seed = cluster.nodes[0]?.port ?? 0;
  const free = await freePorts(POLICIES.length);
  const text = POLICIES.map((readPolicy, index) =>
    hostObjects({
      name: readPolicy.toLowerCase().replace('_', '-'),
      port: free[index] ?? 0,
      endpoints: [seed],
      mode: 'CLUSTER',
      settings: { readPolicy },
    }),
  ).join('---\n');
  await startSidecar(t, { envoy: binaries.envoy, files: { 'objects.yaml': text } });
  const folder = await temporaryFolder('contract');
  t.after(() => removeFolder(folder));
  await writeFile(join(folder, 'objects.yaml'), text);
  const log = pino({ level: 'silent' });
  const proxy = await Proxy.create({ ...PROXY_DEFAULTS, log });
  t.after(() => proxy.close());
  const files = await followFiles(proxy, [folder], { bind: '127.0.0.2' }, log);
  t.after(() => files.close());

  const slot = Number(await cluster.nodes[0]?.client.cluster('KEYSLOT', '{contract}'));
  const shard = (await cluster.shards()).find(({ slots }) =>
    slots.some(([first, last]) => first <= slot && slot <= last),
  );
  assert.ok(shard);
  const [primary, replica] = [cluster.node(shard.primary), cluster.node(shard.replicas[0] ?? 0)];
  const known = new Set(((await primary.client.call('COMMAND', 'LIST')) as string[]).map(String));
  const commands = allCommands().filter(({ kind, name }) => !ELSEWHERE.has(kind) && known.has(name));

  /** Which of the two carried it out; what the primary does, the replica does after it. */
  const ran = async (name: string, before: readonly number[]): Promise<string> => {
    const after = await calls(name);
    if ((after[0] ?? 0) > (before[0] ?? 0)) return 'primary';
    return (after[1] ?? 0) > (before[1] ?? 0) ? 'replica' : 'nobody';
  };
  const calls = (name: string): Promise<readonly number[]> =>
    Promise.all(
      [primary, replica].map(async (node) => {
        const info = await node.client.info('commandstats');
        const lines = info.matchAll(new RegExp(`cmdstat_${name}(?:\\|\\w+)?:calls=(\\d+)`, 'g'));
        return [...lines].reduce((sum, [, count]) => sum + Number(count), 0);
      }),
    );

  for (const [index, policy] of POLICIES.entries()) {
    await t.test(policy, async (t) => {
      const port = free[index] ?? 0;
      const envoy = connect(t, port);
      const ours = client(t, port, { host: '127.0.0.2', protocol: 2 });
      for (const each of [envoy, ours]) {
        await eventually('an answer', async () => {
          await each.get('{contract}first');
          return true;
        });
      }
      const different: unknown[] = [];
      let compared = 0;
      for (const command of commands) {
        const [name = '', ...args] = callOf(command);
        const outcomes = [];
        for (const through of [envoy, ours]) {
          await primary.client.del(`{contract}${name}`);
          const before = await calls(name);
          const reply = await answerOf(through.call(name, ...args));
          outcomes.push({ reply: plain(reply), node: await ran(name, before) });
        }
        const [ofEnvoy, ofOurs] = outcomes;
        if (String(ofEnvoy?.reply).startsWith('"ERR unknown command') || name in EXCEPTIONS) continue;
        compared += 1;
        if (JSON.stringify(ofEnvoy) !== JSON.stringify(ofOurs)) different.push({ name, ofEnvoy, ofOurs });
      }
      assert.deepEqual(different, []);
      assert.ok(compared > 130, `only ${compared} commands`);
    });
  }
});

/** Times and generated ids aside. */
function plain(reply: unknown): string {
  return JSON.stringify(reply).replaceAll(/\d{13}-\d/g, 'ID');
}
