import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { Redis } from 'ioredis';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { needBinaries } from './environment.ts';
import { hostObjects } from './objects.ts';
import { answerOf, connect, startSidecar } from './sidecar.ts';

interface Setting {
  readonly envoy: string;
  readonly good: { readonly port: number; readonly objects: string };
  readonly dead: { readonly port: number; readonly objects: string };
}

async function setUp(t: TestContext): Promise<Setting | undefined> {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return undefined;
  const folder = await temporaryFolder('redis');
  t.after(() => removeFolder(folder));
  const redis = await startRedis({ server: binaries.redis.server, folder });
  t.after(() => stopRedis(redis));
  const [good = 0, dead = 0, nobody = 0] = await freePorts(3);
  return {
    envoy: binaries.envoy,
    good: {
      port: good,
      objects: hostObjects({ name: 'good', port: good, endpoints: [redis.port], mode: 'PROXY' }),
    },
    dead: {
      port: dead,
      objects: hostObjects({
        name: 'dead',
        port: dead,
        endpoints: [nobody],
        mode: 'CLUSTER',
        settings: { readPolicy: 'REPLICA' },
      }),
    },
  };
}

async function answers(client: Redis): Promise<void> {
  await eventually('an answer', async () => ((await client.set('key', 'value')) === 'OK' ? true : undefined));
}

for (const delta of [true, false]) {
  test(`a dead Redis behind one object does not touch the others, also when Envoy starts (${delta ? 'delta' : 'state of the world'})`, async (t) => {
    const setting = await setUp(t);
    if (setting === undefined) return;
    const { good, dead } = setting;
    const sidecar = await startSidecar(t, {
      envoy: setting.envoy,
      delta,
      files: { 'good.yaml': good.objects, 'dead.yaml': dead.objects },
    });
    await t.test('the good one is served', () => answers(connect(t, good.port)));
    await t.test('the dead one answers an error', async () => {
      const client = connect(t, dead.port);
      // Its listener may be opened behind that of the good one.
      await eventually('the error', async () =>
        /no upstream host|upstream failure/.test(String(await answerOf(client.get('key'))))
          ? true
          : undefined,
      );
    });
    await t.test('a further object is served while it is dead', async () => {
      const [port = 0] = await freePorts(1);
      await sidecar.write(
        'further.yaml',
        good.objects.replaceAll('good', 'further').replace(`port: ${good.port}`, `port: ${port}`),
      );
      await answers(connect(t, port));
    });
  });
}

const breakages: [what: string, broken: (objects: string) => string, reason: string][] = [
  ['is no YAML any more', (objects) => `${objects}\n\tbroken: [`, 'SyntaxError'],
  [
    'has a wrong value',
    (objects) => objects.replace('spec:\n  host:', 'spec:\n  settings: {readPolicy: REPLICAS}\n  host:'),
    'InvalidValue',
  ],
  [
    'lost its route',
    (objects) => objects.replace('- route:\n        host: good', '- match: {}'),
    'InvalidValue',
  ],
  [
    'has a Service without a port for Redis',
    (objects) =>
      objects
        .replace('- name: redis\n      port', '- name: http\n      port')
        .replace('ports:\n', 'ports:\n    - {name: https, port: 8443}\n'),
    'PortNotFound',
  ],
];

test('an object that is broken while it is served stays in force as it was, and the rest is served', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { good } = setting;
  const [further = 0] = await freePorts(1);
  const sidecar = await startSidecar(t, { envoy: setting.envoy, files: { 'good.yaml': good.objects } });
  await answers(connect(t, good.port));
  for (const [what, broken, reason] of breakages) {
    await t.test(`it ${what}`, async () => {
      const text = broken(good.objects);
      assert.notEqual(text, good.objects);
      await sidecar.write('good.yaml', text);
      await eventually(`a Diagnostic ${reason}`, () =>
        sidecar.controlPlane.diagnostics().some((diagnostic) => diagnostic.reason === reason)
          ? true
          : undefined,
      );
      assert.ok(
        sidecar.controlPlane.diagnostics().some((diagnostic) => diagnostic.reason === 'LastGoodKept'),
      );
      const second = good.objects
        .replaceAll('good', 'further')
        .replace(`port: ${good.port}`, `port: ${further}`);
      await sidecar.write('further.yaml', second);
      await answers(connect(t, further));
      await answers(connect(t, good.port));
      await sidecar.remove('further.yaml');
      await sidecar.write('good.yaml', good.objects);
      await eventually('all well again', () =>
        sidecar.controlPlane.diagnostics().every(({ severity }) => severity === 'note') ? true : undefined,
      );
    });
  }
});
