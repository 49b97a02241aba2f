import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { stringify } from 'yaml';

import { freePorts, startProcess } from '../../src/demo/child-process.ts';
import { eventually as within } from '../../src/demo/eventually.ts';
import type { Condition } from '../../src/status/conditions.ts';
import { CLI } from './command-line.ts';
import { startKubeControlPlane, type ObservedControlPlane } from './kube-control-plane.ts';
import { MISTAKES } from './kube-mistakes.ts';
import { clusterHost, documents, redisService, secret, service } from './kube-objects.ts';
import { startKubeSetting } from './kube-setting.ts';
import { awaitStatus, conditionsOf, messageOf } from './kube-status.ts';
import { connectEnvoy } from './sidecar.ts';
import { startTroubledWire } from './troubled-wire.ts';

const eventually = <T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> =>
  within(what, look, { deadlineMs: 60_000, everyMs: 100 });

test('the status of objects', async (t) => {
  const setting = await startKubeSetting(t, { replicas: 0 });
  if (setting === undefined) return;
  const { kube, envoy, seeds } = setting;
  const replicas: ObservedControlPlane[] = [];
  for (let count = 0; count < 2; count += 1) replicas.push(await startKubeControlPlane(t, kube));
  const leader = await eventually('a leader', () =>
    replicas.find(({ lines }) => lines.some((line) => line.includes('is held: this replica writes'))),
  );
  const follower = replicas.find((replica) => replica !== leader) ?? leader;

  const place = async (): Promise<{ namespace: string; port: number }> => {
    const namespace = await kube.newNamespace('status');
    const [port = 0] = await freePorts(1);
    await kube.apply(clusterHost(namespace, 'cache', port, seeds));
    return { namespace, port };
  };

  await t.test('without a proxy, with one, and as kubectl shows it', async (t) => {
    const { namespace } = await place();
    await kube.apply(documents(redisService(namespace, 'cache')));
    await awaitStatus(kube, { namespace }, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
    await awaitStatus(kube, { namespace, plural: 'redisdestinations' }, 'Accepted=True ResolvedRefs=True');
    await connectEnvoy(t, { envoy, xdsAddress: leader.xdsAddress, namespace, nodeId: 'one' });
    const waited = await kube.kubectl([
      'wait',
      '--for=condition=Programmed',
      '--timeout=60s',
      'rsvc/cache',
      '-n',
      namespace,
    ]);
    assert.equal(waited.status, 0, waited.stderr);
    const { stdout } = await kube.kubectl(['get', 'rsvc', '-n', namespace]);
    assert.match(stdout, /cache +cache +True +True /);
  });

  await t.test('who only looks is no proxy, whatever it answers', async (t) => {
    const { namespace } = await place();
    await kube.apply(documents(redisService(namespace, 'cache')));
    const served = ['--xds-address', leader.xdsAddress, '--namespace', namespace];
    const looking = ['xds', 'get', ...served, '--type', 'listeners', '--nack', 'no', '--watch'];
    const looker = await startProcess(process.execPath, [
      CLI,
      ...looking,
      '--node-id',
      `looks-at-${namespace}`,
    ]);
    t.after(() => looker.stop());
    await eventually('its refusal', () =>
      leader.lines.some((line) => line.includes('refused') && line.includes(`looks-at-${namespace}`))
        ? true
        : undefined,
    );
    await kube.apply(documents(redisService(namespace, 'cache', { settings: { readPolicy: 'ANY' } })));
    await awaitStatus(kube, { namespace }, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
  });

  for (const [who, replica] of [
    ['the leader', leader],
    ['the other replica', follower],
  ] as const) {
    await t.test(
      `what an Envoy at ${who} refuses is told in its words, until the cause is gone`,
      async (t) => {
        const { namespace, port } = await place();
        const squatter = createServer();
        await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve));
        await connectEnvoy(t, {
          envoy,
          xdsAddress: replica.xdsAddress,
          namespace,
          nodeId: `node-of-${namespace}`,
        });
        await kube.apply(documents(redisService(namespace, 'cache')));
        const refused = await awaitStatus(
          kube,
          { namespace },
          'Accepted=True ResolvedRefs=True Programmed=False/Rejected',
        );
        assert.equal(
          messageOf(refused, 'Programmed'),
          `refused by node-of-${namespace}: cannot bind '127.0.0.1:${port}': Address already in use`,
        );
        await new Promise((resolve) => squatter.close(resolve));
        await awaitStatus(kube, { namespace }, 'Accepted=True ResolvedRefs=True Programmed=True');
        await eventually('events of both', async () => {
          const { stdout } = await kube.kubectl(['get', 'events', '-n', namespace]);
          return stdout.includes('Rejected') && stdout.includes('Programmed') ? true : undefined;
        });
      },
    );
  }

  await t.test('references that lead nowhere, and their repair', async () => {
    const namespace = await kube.newNamespace('status');
    const settings = { auth: { secret: { name: 'clients' } } };
    await kube.apply(documents(redisService(namespace, 'cache', { settings })));
    const missing = await awaitStatus(
      kube,
      { namespace },
      'Accepted=True ResolvedRefs=False/SecretNotFound Programmed=False/SecretNotFound',
    );
    assert.match(
      messageOf(missing, 'ResolvedRefs'),
      /spec\.settings\.auth\.secret\.name: there is no Secret/,
    );
    assert.match(
      messageOf(missing, 'ResolvedRefs'),
      /spec\.host\[0\]: there is no Service status-\d+\/cache/,
    );
    const [port = 0] = await freePorts(1);
    await kube.apply(clusterHost(namespace, 'cache', port, seeds));
    await kube.apply(documents(secret(namespace, 'clients', { password: 'secret-word' })));
    const repaired = await awaitStatus(
      kube,
      { namespace },
      'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies',
    );
    assert.doesNotMatch(JSON.stringify(repaired), /secret-word/);
  });

  await t.test('a conflict is told to the younger object, and ends with the older one', async () => {
    const { namespace } = await place();
    await kube.apply(documents({ ...redisService(namespace, 'a'), spec: { host: ['cache'] } }));
    await eventually('the first is accepted', async () =>
      (await kube.kubectl(['get', 'rsvc', 'a', '-n', namespace, '-o', 'json'])).stdout.includes('Accepted')
        ? true
        : undefined,
    );
    await kube.apply(documents(redisService(namespace, 'cache')));
    const conflict = await awaitStatus(
      kube,
      { namespace },
      'Accepted=False/HostConflict ResolvedRefs=True Programmed=False/HostConflict Conflicted=True',
    );
    assert.match(messageOf(conflict, 'Conflicted'), new RegExp(`RedisService ${namespace}/a`));
    await kube.kubectl(['delete', 'rsvc', 'a', '-n', namespace]);
    await awaitStatus(kube, { namespace }, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
  });

  await t.test('a field that the API server dropped is told, where kubectl noted it', async () => {
    const { namespace } = await place();
    const object = { ...redisService(namespace, 'cache', { settings: { readpolicy: 'REPLICA' } }) };
    await kube.apply(stringify(object), '--validate=false');
    const conditions = await awaitStatus(
      kube,
      { namespace },
      'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies',
    );
    assert.match(messageOf(conditions, 'Accepted'), /spec\.settings\.readpolicy: .*write readPolicy/);
  });

  await t.test('a text that YAML reads otherwise than JSON is told as it is, and stored', async () => {
    const namespace = await kube.newNamespace('text');
    const prefix = 'a\u007f\u0085\u009f\u2028\u2029\ufeff\uffff';
    const annotations = { 'redpilot.dev/listen': prefix };
    const spec = { redis: [{ match: { key: { prefix } }, route: { host: 'cache' } }] };
    const { metadata, ...rest } = redisService(namespace, 'cache', spec) as { readonly metadata: object };
    await kube.put(service(namespace, 'cache', 6379), { ...rest, metadata });
    await awaitStatus(kube, { namespace }, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
    await kube.put({ ...rest, metadata: { ...metadata, annotations } });
    const conditions = await awaitStatus(
      kube,
      { namespace },
      'Accepted=False/InvalidValue ResolvedRefs=True Programmed=False/LastGoodKept',
    );
    assert.ok(messageOf(conditions, 'Accepted').includes(`"${prefix}"`), JSON.stringify(conditions));
    await eventually('what was good is stored as it is', async () => {
      const path = '/api/v1/namespaces/redpilot/configmaps/redpilot-memory';
      const { data } = (await kube.request(path)) as { readonly data: { readonly objects: string } };
      return data.objects.includes(JSON.stringify(prefix)) ? true : undefined;
    });
  });

  await t.test(
    'what somebody else has written too goes with its cause, and what is theirs stays',
    async () => {
      const { namespace } = await place();
      await kube.put(redisService(namespace, 'cache'));
      const good = 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies';
      const [accepted] = await awaitStatus(kube, { namespace }, good);
      const path = `/apis/redis.aeraki.io/v1alpha1/namespaces/${namespace}/redisservices/cache`;
      // As a backup brings it back.
      const restored = ['Conflicted', 'BackedUp'].map((type) => ({ ...accepted, type }));
      await kube.request(`${path}/status`, {
        method: 'PATCH',
        query: { fieldManager: 'backup', force: 'true' },
        contentType: 'application/apply-patch+yaml',
        body: { ...redisService(namespace, 'cache'), spec: undefined, status: { conditions: restored } },
      });
      await eventually('the withdrawal', async () => {
        const found = (await conditionsOf(kube, { namespace })).map(({ type }) => type);
        return found.includes('BackedUp') && !found.includes('Conflicted') ? true : undefined;
      });
    },
  );

  await t.test('a proxy that goes from one replica to the other leaves its objects programmed', async (t) => {
    const { namespace } = await place();
    await kube.put(redisService(namespace, 'cache'));
    const portOf = ({ xdsAddress }: ObservedControlPlane): number => Number(xdsAddress.split(':')[1]);
    const wire = await startTroubledWire(t, portOf(follower));
    const xdsAddress = `127.0.0.1:${wire.port}`;
    await connectEnvoy(t, { envoy, xdsAddress, namespace, nodeId: `moves-${namespace}` });
    const programmed = 'Accepted=True ResolvedRefs=True Programmed=True';
    const before = await awaitStatus(kube, { namespace }, programmed);
    const isAt = async (replica: ObservedControlPlane): Promise<boolean> => {
      const said = await (await fetch(`http://${replica.adminAddress}/debug/syncz`)).text();
      return said.includes(`moves-${namespace}`);
    };
    wire.break();
    // Longer than the leader takes to hear of it, and to write.
    await eventually('it being gone', async () => ((await isAt(follower)) ? undefined : true));
    await sleep(3_000);
    wire.leadTo(portOf(leader));
    wire.mend();
    await eventually('it being back', async () => ((await isAt(leader)) ? true : undefined));
    assert.deepEqual(await awaitStatus(kube, { namespace }, programmed), before);
  });

  await t.test('what the API server can not see is explained, and disturbs nothing else', async (t) => {
    const good = await kube.newNamespace('good');
    const headless = { clusterIP: 'None', ports: [{ name: 'redis', port: 6379 }] };
    const judged = await Promise.all(
      MISTAKES.map(async (mistake) => ({ ...mistake, namespace: await kube.newNamespace('wrong') })),
    );
    const wrong = judged.flatMap(({ namespace, objects }) => [
      { ...service(namespace, 'cache', 6379), spec: headless },
      ...objects(namespace),
    ]);
    await kube.apply(
      documents(service(good, 'cache', 6379), redisService(good, 'cache'), ...wrong),
      '--validate=false',
    );
    for (const { what, namespace, condition, says, plural = 'redisservices' } of judged) {
      const [type = '', verdict = ''] = condition.split('=');
      await t.test(`${what}: ${condition}`, async () => {
        let last = '';
        await within(
          condition,
          async () => {
            const found = (await conditionsOf(kube, { namespace, name: 'wrong', plural })).find(
              (one) => one.type === type,
            );
            last = JSON.stringify(found);
            const isTold = `${found?.status}/${found?.reason}` === verdict && says.test(found?.message ?? '');
            return isTold ? true : undefined;
          },
          { deadlineMs: 60_000, everyMs: 200, seen: () => last },
        );
      });
    }
    await awaitStatus(
      kube,
      { namespace: good },
      'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies',
    );
  });

  await t.test('many changes to one object cost at most a write a second', async () => {
    const { namespace } = await place();
    await kube.apply(documents(redisService(namespace, 'cache')));
    await awaitStatus(kube, { namespace }, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
    const began = Date.now();
    // Each write says of which version of the object it is. (What is written of all objects is other tests' too.)
    const written = new Set<number>();
    for (let change = 0; change < 20; change += 1) {
      const path = `/apis/redis.aeraki.io/v1alpha1/namespaces/${namespace}/redisservices/cache`;
      const { status } = (await kube.request(path, {
        method: 'PATCH',
        contentType: 'application/merge-patch+json',
        body: { spec: { settings: { opTimeout: `${change + 1}s` } } },
      })) as { readonly status: { readonly conditions: readonly Condition[] } };
      for (const { observedGeneration } of status.conditions) written.add(observedGeneration);
      await sleep(100);
    }
    await awaitStatus(kube, { namespace }, 'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies');
    const seconds = (Date.now() - began) / 1_000;
    assert.ok(written.size <= seconds + 1, `${written.size} writes in ${seconds} s`);
  });
});
