import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { freePorts, removeFolder, startProcess, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { between, countsOf, splitByRole } from '../../src/demo/traffic.ts';
import { readme } from '../documentation.ts';
import { needBinaries } from './environment.ts';
import { connect } from './sidecar.ts';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const COMMANDS = { read: 'get', write: 'set' };

test("README's first real use: its objects and its commands, on free ports", async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const cluster = await RedisCluster.start({ redis: binaries.redis });
  t.after(() => cluster.stop());
  const folder = await temporaryFolder('first-use');
  t.after(() => removeFolder(folder));
  const [xds = 0, admin = 0, listener = 0] = await freePorts(3);

  const [yaml = ''] = readme.yaml;
  const [first, second] = cluster.nodes;
  const objects = yaml
    .replace('192.0.2.1:6379', `127.0.0.1:${first?.port}`)
    .replace('192.0.2.2:6379', `127.0.0.1:${second?.port}`)
    // The listener's port would be 6379.
    .replace(/(- route:\n\s+host: (\S+))/, `$1\n        port: ${listener}`);
  assert.notEqual(objects, yaml);
  mkdirSync(join(folder, 'objects'));
  writeFileSync(join(folder, 'objects/redis-cluster.yaml'), objects);

  const line = (start: string): string[] => {
    const found = readme.commands.find((command) => command.startsWith(start));
    assert.ok(found, start);
    return found
      .replace(/ > .*$/, '')
      .replace('127.0.0.1:18000', `127.0.0.1:${xds}`)
      .split(' ')
      .slice(1);
  };
  const here = (args: readonly string[]): string[] =>
    args.map((word) => (word === 'objects/' || word === 'envoy.json' ? join(folder, word) : word));
  const redpilot = async (start: string): Promise<string> => {
    const args = [CLI, ...here(line(start))];
    return (await promisify(execFile)(process.execPath, args, { cwd: folder })).stdout;
  };

  assert.doesNotMatch(await redpilot('redpilot validate'), /^\S+ (error|warning) /m);
  const addresses = ['--xds-address', `127.0.0.1:${xds}`, '--admin-address', `127.0.0.1:${admin}`];
  const serveArgs = [CLI, ...here(line('redpilot serve')), ...addresses];
  const serving = await startProcess(process.execPath, serveArgs);
  t.after(() => serving.stop());
  writeFileSync(join(folder, 'envoy.json'), await redpilot('redpilot bootstrap'));
  const envoyArgs = [...here(line('envoy ')), '--concurrency', '1'];
  const envoy = await startProcess(binaries.envoy, envoyArgs);
  t.after(() => envoy.stop());

  const client = connect(t, listener);
  await eventually('an answer', async () => ((await client.set('a', '1')) === 'OK' ? true : undefined), {
    deadlineMs: 30_000,
    seen: () => `${serving.lastLines()}\n${envoy.lastLines()}`,
  });
  const look = () => Promise.all(cluster.nodes.map((node) => countsOf(node.client, COMMANDS)));
  const before = await look();
  for (let index = 0; index < 50; index++) {
    await client.get(`key${index}`);
    await client.set(`key${index}`, 'x');
  }
  const after = await look();
  assert.deepEqual(splitByRole(after.map((counts, index) => between(before[index], counts))), {
    readsOnPrimaries: 0,
    readsOnReplicas: 50,
    writesOnPrimaries: 50,
    writesOnReplicas: 0,
  });
});
