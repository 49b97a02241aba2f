/**
 * docker-compose.yml without Docker: its own command lines as plain processes, in its order, each "container" on a loopback
 * address of its own, with only the files that the image holds.
 *
 * What is not seen here: images, mounts, names in DNS, users.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';

import { removeFolder, startProcess, temporaryFolder, type Running } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { addressOf, compose, copiesOf, root, service, stages, type Stage } from '../container-files.ts';
import { needEnvoy, needRedisTools } from './environment.ts';

const run = promisify(execFile);

/** The image's folder /redpilot, built and filled by the stages of the Dockerfile: dist/ of the checkout is others' too. */
async function imageFolder(folder: string): Promise<void> {
  const [first, last] = [stages[0], stages.at(-1)];
  assert.ok(first !== undefined && last !== undefined);
  const built = `${folder}-built`;
  mkdirSync(built);
  symlinkSync(join(root, 'node_modules'), join(built, 'node_modules'));
  fill(built, first);
  await run(process.execPath, [join(built, 'tooling/build.ts')]);
  fill(folder, last, built);
}

/** With what the stage copies, of the checkout and of the stage that was built. */
function fill(folder: string, stage: Stage, built = root): void {
  for (const { from, sources, target } of copiesOf(stage).filter((copy) => !copy.target.startsWith('/'))) {
    for (const source of sources) {
      const path = join(from === undefined ? root : built, source.replace('/redpilot/', ''));
      const to = join(folder, target, target.endsWith('/') ? basename(source) : '');
      mkdirSync(dirname(to), { recursive: true });
      if (source.endsWith('node_modules')) symlinkSync(path, to);
      else cpSync(path, to, { recursive: true });
    }
  }
}

test('compose: our own command lines of it show what the demo shows', async (t) => {
  const envoyBinary = await needEnvoy(t);
  const redisTools = envoyBinary === undefined ? undefined : await needRedisTools(t);
  if (envoyBinary === undefined || redisTools === undefined) return;
  const folder = await temporaryFolder('compose');
  t.after(() => removeFolder(folder));
  const image = join(folder, 'redpilot');
  await imageFolder(image);

  // A network of our own in 127.0.0.0/8, so that every port is as in the file.
  const octet = (): number => 1 + Math.floor(Math.random() * 250);
  const network = `127.${octet()}.${octet()}.`;
  const controlPlane = `${network}201`;
  const pod = `${network}202`;
  const objects = join(folder, 'objects');
  cpSync(join(root, 'manifests'), objects, { recursive: true });
  for (const file of readdirSync(join(objects, 'compose'))) {
    const path = join(objects, 'compose', file);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('10.80.0.', network));
  }
  mkdirSync(join(folder, 'bootstrap'));

  const here = (words: readonly string[], own: string): string[] =>
    words.map((word) =>
      word
        .replaceAll('10.80.0.', network)
        .replace('control-plane:', `${controlPlane}:`)
        .replace('0.0.0.0', own)
        .replace('127.0.0.1', own)
        .replace(/^\/(?=objects\/|bootstrap\/)/, `${folder}/`)
        .replace('/nodejs/bin/node', process.execPath),
    );
  const programOf = (name: string, own: string): string[] => [
    join(image, 'bin/redpilot.js'),
    ...here(service(name).command, own),
  ];
  const healthy = async (name: string, own: string, running: Running): Promise<void> => {
    const [kind, program = '', ...args] = here(service(name).healthcheck?.test ?? [], own);
    assert.equal(kind, 'CMD');
    await eventually(
      `${name} healthy`,
      async () => {
        await run(program, args);
        return true;
      },
      { deadlineMs: 30_000, seen: running.lastLines },
    );
  };

  const redis = await Promise.all(
    Object.entries(compose.services)
      .filter(([name]) => name.startsWith('redis-'))
      .map(async ([name, node]) => {
        const own = (addressOf(node) ?? '').replace('10.80.0.', network);
        const data = join(folder, name);
        mkdirSync(data);
        // Loopback has many addresses: each node listens and speaks from its own only.
        const [program = '', ...args] = here(node.command, own);
        const extra = ['--bind', own, '--bind-source-addr', own, '--dir', data];
        const running = await startProcess(join(redisTools, program), [...args, ...extra]);
        t.after(() => running.stop());
        return { own, running };
      }),
  );
  for (const { own, running } of redis) {
    // The check runs in the container, where the default address is the node's own.
    const [, program = '', ...args] = service('redis-1').healthcheck?.test ?? [];
    await eventually(
      'an answer of redis-server',
      () => run(join(redisTools, program), ['-h', own, ...args]),
      {
        seen: running.lastLines,
      },
    );
  }
  const [cli = '', ...create] = here(service('cluster').command, '');
  const { stdout } = await run(join(redisTools, cli), create);
  assert.match(stdout, /All 16384 slots covered/);

  // As the namespaces of containers would have it: the admin on the own loopback, listeners on the sidecar's.
  const apart = ['--admin-address', `${controlPlane}:19000`, '--bind', pod];
  const serving = await startProcess(process.execPath, [
    ...programOf('control-plane', controlPlane),
    ...apart,
  ]);
  t.after(() => serving.stop());
  await healthy('control-plane', controlPlane, serving);

  await run(process.execPath, programOf('bootstrap', pod));

  const envoy = await startProcess(envoyBinary, [
    ...here(service('envoy').command, pod).slice(1),
    '--use-dynamic-base-id',
  ]);
  t.after(() => envoy.stop());
  // Every container has its own loopback.
  const beside = `${network}203`;
  const proxy = await startProcess(process.execPath, [
    ...programOf('proxy', beside),
    '--bind',
    beside,
    '--admin-address',
    `${beside}:19001`,
  ]);
  t.after(() => proxy.stop());
  await healthy('envoy', pod, envoy);

  await healthy('proxy', beside, proxy);

  // At the same time: both are told the same, so who answers what is the same for both.
  const words = await Promise.all(
    [['load', pod] as const, ['proxy-load', beside] as const].map(
      async ([name, own]) => await saidBy(t, [...programOf(name, own), '--seconds', '3']),
    ),
  );
  for (const said of words) {
    assert.match(said, /^readPolicy REPLICA$/m);
    for (const node of redis) assert.ok(said.includes(`${node.own}:6379`), said);
    assert.match(
      said,
      // How many they are in three seconds is the machine's matter; of ten by another policy some were on primaries.
      /reads: 0 on primaries, [1-9]\d+ on replicas; writes: [1-9]\d* on primaries, 0 on replicas/,
    );
  }
});

/** Fails where it ends with another status than 0. */
async function saidBy(t: TestContext, args: readonly string[]): Promise<string> {
  const load = spawn(process.execPath, args, { stdio: 'pipe' });
  t.after(() => load.kill('SIGKILL'));
  let said = '';
  for (const stream of [load.stdout, load.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const status = await new Promise((resolve) => load.once('exit', resolve));
  assert.equal(status, 0, said);
  return said;
}
