import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';

import { parseObject } from '../../src/api/parse.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import { BORDER_VALUES } from './kube-border-values.ts';
import { KubeCluster } from './kube-cluster.ts';
import { startKubeControlPlane } from './kube-control-plane.ts';
import { documents, redisService, service } from './kube-objects.ts';
import { objectOf, WRONG_OBJECTS, type WrongObject } from './kube-wrong-objects.ts';

const SAMPLE = new URL('../../manifests/samples/read-policy.yaml', import.meta.url);
const AERAKI = new URL('aeraki-samples.yaml', import.meta.url);

test('the CRDs', async (t) => {
  const kube = await KubeCluster.start(t);
  if (kube === undefined) return;

  await t.test('installed late, and a right that is missing: nothing else is stopped', (t) =>
    installedLate(t, kube),
  );

  await t.test('without the right to read RedisDestinations objects say that something may be missing', (t) =>
    withoutDestinations(t, kube),
  );

  await kube.kubectl(['create', 'namespace', 'redis']);

  await t.test('the published object applies unchanged', async () => {
    const applied = await kube.kubectl(['apply', '-f', '-'], await readFile(SAMPLE, 'utf8'));
    assert.deepEqual([applied.status, applied.stderr], [0, '']);
  });

  await t.test("Aeraki's samples apply unchanged", async () => {
    const applied = await kube.kubectl(['apply', '-f', '-'], await readFile(AERAKI, 'utf8'));
    assert.deepEqual([applied.status, applied.stderr], [0, '']);
    const short = await kube.kubectl(['get', 'rsvc,rd', '-n', 'redis', '-o', 'name']);
    assert.equal(short.stdout.trim().split('\n').length, 11);
  });

  await t.test('kubectl get shows host and policy', async () => {
    const { stdout } = await kube.kubectl(['get', 'rsvc', 'redis-cluster', '-n', 'redis']);
    assert.match(stdout, /^NAME +HOST +POLICY +ACCEPTED +RESOLVED +PROGRAMMED +AGE\n/);
    assert.match(stdout, /redis-cluster +redis-cluster\.redis\.svc\.cluster\.local +REPLICA /);
  });

  await t.test('kubectl apply refuses a misspelt field by its name', async () => {
    const text = (await readFile(SAMPLE, 'utf8')).replace('readPolicy:', 'readpolicy:');
    const { status, stderr } = await kube.kubectl(['apply', '-f', '-'], text);
    assert.equal(status, 1);
    assert.match(stderr, /unknown field "spec\.settings\.readpolicy"/);
  });

  await t.test('kubectl explain tells what a field is for', async () => {
    const { stdout } = await kube.kubectl(['explain', 'rsvc.spec.settings.readPolicy']);
    assert.match(stdout, /Where reads go/);
  });

  await t.test('every wrong object is refused with its field and a remedy', async () => {
    assert.ok(WRONG_OBJECTS.length >= 100, `${WRONG_OBJECTS.length} wrong objects`);
    const wrong: string[] = [];
    const judge = async (object: WrongObject): Promise<void> => {
      const strict = await answerTo(kube, object, 'Strict');
      const isTold = strict.includes(object.field) && object.says.test(strict);
      if (!isTold) wrong.push(`${object.kind} ${object.at}: ${JSON.stringify(object.value)}: ${strict}`);
      const lax = await answerTo(kube, object, 'Ignore');
      // A field that nobody knows is dropped there; what the controller makes of that is another test.
      const isMisspelt = object.says.test('unknown field');
      if (isMisspelt !== (lax === 'accepted')) {
        wrong.push(`${object.kind} ${object.at}: ${JSON.stringify(object.value)} without validation: ${lax}`);
      }
    };
    await Promise.all(WRONG_OBJECTS.map(judge));
    assert.deepEqual(wrong, []);
  });

  await t.test('at the borders of each field the API server and a file say the same', async () => {
    const apart: string[] = [];
    for (const [kind, at, values] of BORDER_VALUES) {
      await Promise.all(
        values.map(async (value) => {
          const object = { kind, at, value };
          const inFile = parseObject(objectOf(object, 'redis'), () => undefined).kind;
          const inCluster = await answerTo(kube, object, 'Strict');
          if ((inFile === 'object') !== (inCluster === 'accepted'))
            apart.push(`${kind} ${at}: ${JSON.stringify(value)}: ${inFile} in a file; ${inCluster}`);
        }),
      );
    }
    assert.deepEqual(apart, []);
  });
});

async function installedLate(t: TestContext, kube: KubeCluster): Promise<void> {
  // The controller may list and watch nothing but Services yet.
  await kube.kubectl(['create', 'clusterrole', 'some', '--verb=list,watch', '--resource=services']);
  await kube.kubectl([
    'create',
    'clusterrolebinding',
    'some',
    '--clusterrole=some',
    '--serviceaccount=redpilot:redpilot',
  ]);
  const starting = startKubeControlPlane(t, kube);
  const namespace = await kube.newNamespace();
  await kube.apply(documents(service(namespace, 'cache', 6379)));
  await kube.installControlPlane();
  const controlPlane = await starting;
  await kube.apply(documents(redisService(namespace, 'cache')));
  await eventually(
    'the object',
    () => controlPlane.diagnostics().find(({ object }) => object?.namespace === namespace),
    { deadlineMs: 60_000 },
  );
  assert.ok(controlPlane.lines.some((line) => line.includes('RBAC forbids to list and watch redisservices')));
}

async function withoutDestinations(t: TestContext, kube: KubeCluster): Promise<void> {
  const namespace = await kube.newNamespace();
  await kube.put(service(namespace, 'cache', 6379), redisService(namespace, 'cache'));
  await kube.kubectl(['delete', 'clusterrolebinding', 'redpilot']);
  const resource = '--resource=redisservices.redis.aeraki.io';
  await kube.kubectl(['create', 'clusterrole', 'more', '--verb=list,watch', resource]);
  const account = '--serviceaccount=redpilot:redpilot';
  await kube.kubectl(['create', 'clusterrolebinding', 'more', '--clusterrole=more', account]);
  // It starts all the same.
  const controlPlane = await startKubeControlPlane(t, kube);
  const told = (): readonly string[] =>
    controlPlane
      .diagnostics()
      .filter(({ object, reason }) => object?.namespace === namespace && reason === 'DestinationsUnknown')
      .map(({ message }) => message);
  assert.equal(told().length, 1);
  assert.match(
    told()[0] ?? '',
    /RBAC forbids to read RedisDestinations, .* cannot list resource "redisdestinations"/,
  );
  await kube.installControlPlane();
  await eventually('nothing to tell', () => (told().length === 0 ? true : undefined), { deadlineMs: 60_000 });
}

/** What the API server says to it; nothing is stored. */
async function answerTo(
  kube: KubeCluster,
  object: Pick<WrongObject, 'kind' | 'at' | 'value'>,
  fieldValidation: 'Strict' | 'Ignore',
): Promise<string> {
  const plural = object.kind === 'RedisService' ? 'redisservices' : 'redisdestinations';
  try {
    await kube.request(`/apis/redis.aeraki.io/v1alpha1/namespaces/redis/${plural}`, {
      method: 'POST',
      query: { dryRun: 'All', fieldValidation },
      body: objectOf(object, 'redis'),
    });
    return 'accepted';
  } catch (error) {
    if (error instanceof ApiError && error.status > 0) return error.message;
    throw error;
  }
}
