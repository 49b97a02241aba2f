import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { startEnvoy } from '../../src/demo/envoy-process.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';
import { staticConfiguration } from '../../src/envoy/static-configuration.ts';
import { needBinaries, needEnvoy } from './environment.ts';
import { startHosts, transaction, untilEnvoyEnds } from './hosts.ts';
import { hostObjects } from './objects.ts';
import { planOf } from './plan.ts';
import { startRecordingNode } from './recording-node.ts';
import { answerOf, connect } from './sidecar.ts';

async function startPlain(t: TestContext, server: string): Promise<RedisNode> {
  const folder = await temporaryFolder('plain');
  t.after(() => removeFolder(folder));
  const node = await startRedis({ server, folder });
  t.after(() => stopRedis(node));
  return node;
}

test('MULTI with a mirror of less than all commands', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const node = await startRecordingNode(t);
  const copies = await startRecordingNode(t);
  const rules = (name: string): object[] => [
    { route: { host: name }, mirror: [{ route: { host: 'copies' }, percentage: { value: 50 } }] },
  ];
  const { sidecar, client } = await startHosts(t, envoy, [
    { name: 'copies', endpoints: [copies.port] },
    { name: 'guarded', endpoints: [node.port], rules: rules('guarded') },
    { name: 'unguarded', endpoints: [node.port], rules: rules('unguarded'), unguarded: true },
  ]);
  await t.test('with the guard: MULTI is answered with an error, and Envoy lives', async () => {
    const [multi] = await transaction(client('guarded'));
    assert.match(String(multi), /Fault Injected/);
    assert.ok(sidecar.envoy.process.isRunning());
    assert.ok(
      sidecar.controlPlane
        .diagnostics()
        .some(({ reason, message }) => reason === 'GuardInForce' && message.includes('MULTI')),
    );
  });
  await t.test('without it Envoy ends', async () => {
    await untilEnvoyEnds(sidecar.envoy, () => transaction(client('unguarded')));
  });
});

test('WATCH, which Envoy gives no effect', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const redis = await startPlain(t, binaries.redis.server);
  const { client } = await startHosts(t, binaries.envoy, [
    { name: 'guarded', endpoints: [redis.port] },
    { name: 'unguarded', endpoints: [redis.port], unguarded: true },
  ]);
  await t.test('without the guard EXEC goes through although the key has changed', async () => {
    const watching = client('unguarded');
    await watching.call('WATCH', 'key');
    await redis.client.set('key', 'changed by another');
    await watching.call('MULTI');
    await watching.set('key', 'overwritten');
    await watching.call('EXEC');
    assert.equal(await redis.client.get('key'), 'overwritten');
  });
  await t.test('with it WATCH is answered with an error', async () => {
    assert.match(String(await answerOf(client('guarded').call('WATCH', 'key'))), /Fault Injected/);
  });
});

test('SELECT on plain servers, whose connections all clients share', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const redis = await startPlain(t, binaries.redis.server);
  const { client } = await startHosts(t, binaries.envoy, [
    { name: 'guarded', endpoints: [redis.port] },
    { name: 'unguarded', endpoints: [redis.port], unguarded: true },
  ]);
  const databaseOf = async (key: string): Promise<string> => {
    const inOther = await redis.client.multi().select(1).exists(key).select(0).exec();
    return inOther?.[1]?.[1] === 1 ? 'database 1' : 'database 0';
  };
  await t.test("without the guard another client's key lands in that database", async () => {
    const [selecting, innocent] = [client('unguarded'), client('unguarded')];
    await innocent.set('before', 'value');
    await selecting.select(1);
    await innocent.set('after', 'value');
    assert.equal(await databaseOf('after'), 'database 1');
  });
  await t.test('with it SELECT is answered with an error, and keys stay where they belong', async () => {
    const [selecting, innocent] = [client('guarded'), client('guarded')];
    assert.match(String(await answerOf(selecting.select(1))), /Fault Injected/);
    await innocent.set('mine', 'value');
    assert.equal(await databaseOf('mine'), 'database 0');
  });
});

test('a mirror with nobody behind it', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const node = await startRecordingNode(t);
  const rules = (name: string): object[] => [
    { route: { host: name }, mirror: [{ route: { host: 'nobody' } }] },
  ];
  const { client } = await startHosts(t, envoy, [
    { name: 'nobody', endpoints: [] },
    { name: 'guarded', endpoints: [node.port], rules: rules('guarded') },
    { name: 'unguarded', endpoints: [node.port], rules: rules('unguarded'), unguarded: true },
  ]);
  await t.test('with the guard the mirror is left out, and transactions are carried out', async () => {
    assert.deepEqual(await transaction(client('guarded')), ['OK', 'OK', []]);
  });
  await t.test('without it a transaction gets no answer', async () => {
    const answers = await transaction(client('unguarded'), { limitMs: 2_000 });
    assert.ok(
      answers.some((answer) => /no answer/.test(String(answer))),
      JSON.stringify(answers),
    );
  });
});

test('a cluster without endpoints', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const [port = 0] = await freePorts(1);
  const { plan } = await planOf(hostObjects({ name: 'empty', port, endpoints: [], mode: 'PROXY' }));
  const guarded = JSON.stringify(staticConfiguration(plan, String));
  // What it would be without the unreachable endpoint that stands for nobody.
  const unguarded = guarded.replace(/"lb_endpoints":\[\{"endpoint":.*?\}\}\}\}\]/, '"lb_endpoints":[]');
  assert.notEqual(guarded, unguarded);
  for (const [name, configuration, lives] of [
    ['with the guard Envoy lives', guarded, true],
    ['without it Envoy ends', unguarded, false],
  ] as const) {
    await t.test(name, async (st) => {
      const running = await startEnvoy({
        binary: envoy,
        configuration: (path) => ({
          ...(JSON.parse(configuration) as object),
          admin: { address: { pipe: { path } } },
        }),
      });
      st.after(() => running.stop());
      const attempt = (): Promise<readonly unknown[]> =>
        transaction(connect(st, port, { enableReadyCheck: false, maxRetriesPerRequest: 0 }));
      if (lives) {
        assert.match(String((await attempt())[1]), /upstream failure/);
        assert.ok(running.process.isRunning());
      } else {
        await untilEnvoyEnds(running, attempt);
      }
    });
  }
});
