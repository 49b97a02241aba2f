/**
 * Ways to lose a password, on either side, looked at on the wire: never an open listener, never an unauthenticated command
 * to Redis, never a last good password dropped.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { needEnvoy } from './environment.ts';
import { Fence } from './fence.ts';
import { startHosts, type Host } from './hosts.ts';
import { startProxyCommand } from './proxy-command.ts';
import { startRecordingNode, type RecordingNode } from './recording-node.ts';
import { answerOf, connect } from './sidecar.ts';

const GOOD = 'the-good-one';

interface Way {
  readonly what: string;
  /** The Secret's document, as text; undefined: there is none. */
  readonly secret: ((name: string) => string) | undefined;
  /** What the object asks for, beside the Secret's name. */
  readonly asks?: Readonly<Record<string, string>>;
}

function document(
  name: string,
  fields: Readonly<Record<string, string>>,
  more: { readonly type?: string; readonly namespace?: string; readonly in?: 'data' | 'stringData' } = {},
): string {
  const values = Object.entries(fields).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}\n`);
  return (
    `apiVersion: v1\nkind: Secret\nmetadata: {name: ${name}, namespace: ${more.namespace ?? 'redis'}}\n` +
    `type: ${more.type ?? 'Opaque'}\n${more.in ?? 'stringData'}: ${values.length === 0 ? '{}\n' : `\n${values.join('')}`}`
  );
}

/** Nothing of these was ever a password. */
const NEVER_KNOWN: readonly Way[] = [
  { what: 'there is no Secret', secret: undefined },
  { what: 'the Secret has no field', secret: (name) => document(name, {}) },
  { what: 'the Secret has another field only', secret: (name) => document(name, { pass: GOOD }) },
  { what: 'the field is empty', secret: (name) => document(name, { password: '' }) },
  { what: 'the field is white space', secret: (name) => document(name, { password: ' \n\t' }) },
  {
    what: 'passwordField names another field',
    secret: (name) => document(name, { password: GOOD }),
    asks: { passwordField: 'pasword' },
  },
  {
    what: 'usernameField names another field',
    secret: (name) => document(name, { password: GOOD }),
    asks: { usernameField: 'user' },
  },
  {
    what: "the Secret is a service account's token",
    secret: (name) =>
      document(name, { password: GOOD, token: GOOD }, { type: 'kubernetes.io/service-account-token' }),
  },
  {
    what: 'the Secret is in another namespace',
    secret: (name) => document(name, { password: GOOD }, { namespace: 'shop' }),
  },
  {
    what: 'the value is not base64',
    secret: (name) => document(name, { password: '%%%' }, { in: 'data' }),
  },
  { what: 'the document is broken', secret: (name) => `${document(name, { password: GOOD })}: [` },
];

/** Each of these had a good password before. */
const LOST: readonly Way[] = [
  { what: 'the Secret is deleted', secret: undefined },
  { what: 'the Secret is emptied', secret: (name) => document(name, {}) },
  { what: 'the field is emptied', secret: (name) => document(name, { password: '' }) },
  { what: 'the field is renamed', secret: (name) => document(name, { pass: 'another' }) },
  {
    what: 'its type changes',
    secret: (name) =>
      document(name, { password: 'another' }, { type: 'kubernetes.io/service-account-token' }),
  },
  {
    what: 'it moves to another namespace',
    secret: (name) => document(name, { password: 'another' }, { namespace: 'shop' }),
  },
  {
    what: 'its value is no longer base64',
    secret: (name) => document(name, { password: '%%%' }, { in: 'data' }),
  },
  { what: 'its document is broken', secret: (name) => `${document(name, { password: 'another' })}: [` },
];

type Side = 'clients' | 'redis';

const nameOf = (side: Side, group: string, at: number): string => `${side}-${group}-${at}`;

function hostOf(side: Side, name: string, node: RecordingNode, asks: Way['asks']): Host {
  const auth = { secret: { name: `s-${name}`, ...asks } };
  return {
    name,
    endpoints: [node.port],
    ...(side === 'clients' ? { settings: { auth } } : { upstreamAuth: auth }),
  };
}

const OPEN = { enableReadyCheck: false, maxRetriesPerRequest: 0 };

test('no way to lose a password opens anything', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const nodes = new Map<string, RecordingNode>();
  const hosts: Host[] = [];
  const files: Record<string, string> = {};
  for (const side of ['clients', 'redis'] as const) {
    for (const [group, ways] of [
      ['never', NEVER_KNOWN],
      ['lost', LOST],
    ] as const) {
      for (const [at, way] of ways.entries()) {
        const name = nameOf(side, group, at);
        const node = await startRecordingNode(t);
        nodes.set(name, node);
        hosts.push(hostOf(side, name, node, way.asks));
        const text = group === 'lost' ? document(`s-${name}`, { password: GOOD }) : way.secret?.(`s-${name}`);
        if (text !== undefined) files[`s-${name}.yaml`] = text;
      }
    }
  }
  const { sidecar, port } = await startHosts(t, envoy, hosts, files);
  const fence = await Fence.create();
  const set = (name: string, password?: string): Promise<unknown> =>
    answerOf(
      connect(t, port(name), { ...OPEN, ...(password === undefined ? {} : { password }) }).set(
        'key',
        'value',
      ),
    );

  for (const [at, { what }] of NEVER_KNOWN.entries()) {
    await t.test(`clients' password, never known: ${what}`, async () => {
      const name = nameOf('clients', 'never', at);
      assert.match(String(await set(name)), /NOAUTH/);
      for (const guess of [GOOD, 'nobody', '']) {
        const client = connect(t, port(name), OPEN);
        assert.notEqual(await answerOf(client.call('AUTH', guess)), 'OK');
        assert.notEqual(await answerOf(client.call('AUTH', 'nobody', guess)), 'OK');
        assert.match(String(await answerOf(client.set('key', 'value'))), /NOAUTH/);
      }
      assert.deepEqual(nodes.get(name)?.received, []);
    });
    await t.test(`Redis' password, never known: ${what}`, async () => {
      const name = nameOf('redis', 'never', at);
      assert.match(String(await set(name)), /upstream failure/);
      assert.deepEqual(nodes.get(name)?.received, []);
    });
  }

  const lose = async (name: string, way: Way): Promise<void> => {
    const file = `s-${name}.yaml`;
    if (way.secret === undefined) await sidecar.remove(file);
    else await sidecar.write(file, way.secret(`s-${name}`));
    await eventually('the loss being told', () =>
      sidecar.controlPlane
        .diagnostics()
        .some(
          ({ object, reason, position }) =>
            reason === 'LastGoodKept' && (object?.name === name || position?.file.includes(file)),
        )
        ? true
        : sidecar.controlPlane
              .diagnostics()
              .some(({ position, severity }) => severity === 'error' && position?.file.includes(file))
          ? true
          : undefined,
    );
    await sidecar.write('fence.yaml', fence.objects());
    await fence.passed(sidecar);
  };
  for (const [at, way] of LOST.entries()) {
    await t.test(`clients' password, known before: ${way.what}`, async () => {
      const name = nameOf('clients', 'lost', at);
      assert.equal(await set(name, GOOD), 'OK');
      await lose(name, way);
      assert.equal(await set(name, GOOD), 'OK');
      assert.match(String(await set(name)), /NOAUTH/);
      assert.notEqual(await set(name, 'another'), 'OK');
    });
    await t.test(`Redis' password, known before: ${way.what}`, async () => {
      const name = nameOf('redis', 'lost', at);
      assert.equal(await set(name), 'OK');
      await lose(name, way);
      assert.equal(await set(name), 'OK');
      const received = nodes.get(name)?.received ?? [];
      for (const connection of new Set(received.map((command) => command.connection))) {
        const first = received.find((command) => command.connection === connection);
        assert.deepEqual([first?.name, first?.args], ['auth', [GOOD]]);
      }
    });
  }
});

test('a RedisDestination that asks for TLS and has a mistake opens nothing, until it is mended', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const node = await startRecordingNode(t);
  const { sidecar, port, objects } = await startHosts(t, envoy, [
    { name: 'refused', endpoints: [node.port], tcp: { connectTimeout: 5 }, tls: { mode: 'SIMPLE' } },
  ]);
  const [own = 0] = await freePorts(1);
  const folder = await temporaryFolder('refused');
  t.after(() => removeFolder(folder));
  const file = join(folder, 'refused.yaml');
  await writeFile(file, objects('refused', { annotations: { listen: `127.0.0.1:${own}` } }));
  const proxy = await startProxyCommand(t, ['--config', file]);
  const through = { Envoy: port('refused'), 'the proxy': own };
  const set = (at: number): Promise<unknown> => answerOf(connect(t, at, OPEN).set('key', 'value'));

  for (const [who, at] of Object.entries(through)) {
    assert.match(String(await set(at)), /upstream failure|no upstream/, who);
    assert.deepEqual(node.received, [], who);
  }
  const line = /RedisDestination redis\/refused has a mistake, and refused\S+ must not be reached/;
  assert.match(proxy.said(), line);
  assert.ok(sidecar.controlPlane.diagnostics().some(({ message }) => line.test(message)));

  const mended = { tcp: { connectTimeout: '5s' }, tls: { mode: 'DISABLE' } };
  await sidecar.write('refused.yaml', objects('refused', mended));
  await writeFile(file, objects('refused', { ...mended, annotations: { listen: `127.0.0.1:${own}` } }));
  for (const [who, at] of Object.entries(through))
    await eventually(`an answer through ${who}`, async () => ((await set(at)) === 'OK' ? true : undefined));
});
