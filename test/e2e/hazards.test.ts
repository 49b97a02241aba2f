/**
 * What a client can do to an Envoy 1.40 that is set up carelessly, tried against ours: it lives, and nobody waits for ever.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { needEnvoy } from './environment.ts';
import { startHosts, transaction, type Host } from './hosts.ts';
import { startRecordingNode } from './recording-node.ts';
import { answerOf, type Ending } from './sidecar.ts';

const mirror = (name: string, to: string, percentage?: number): Pick<Host, 'rules'> => ({
  rules: [
    {
      route: { host: name },
      mirror: [
        { route: { host: to }, ...(percentage === undefined ? {} : { percentage: { value: percentage } }) },
      ],
    },
  ],
});

const secret = { secret: { name: 'nowhere' } };

/** By the name of the host: what stands behind it, and what a transaction answers there. */
function hazards(
  node: number,
  dead: number,
): readonly (readonly [what: string, host: Host, answers: RegExp])[] {
  return [
    ['a host without endpoints', { name: 'empty', endpoints: [] }, /upstream failure/],
    ['a host that is down', { name: 'down', endpoints: [dead] }, /upstream failure/],
    [
      'a host whose password was never known',
      { name: 'closed', endpoints: [node], upstreamAuth: secret },
      /upstream failure/,
    ],
    [
      'keys that no route matches',
      {
        name: 'unmatched',
        endpoints: [node],
        rules: [{ match: { key: { prefix: 'x:' } }, route: { host: 'unmatched' } }],
      },
      /no upstream host/,
    ],
    ['a mirror at 0 %', { name: 'zero', endpoints: [node], ...mirror('zero', 'copies', 0) }, /^OK,OK,$/],
    ['a mirror at 100 %', { name: 'full', endpoints: [node], ...mirror('full', 'copies') }, /^OK,OK,$/],
    [
      'a mirror at 50 %',
      { name: 'half', endpoints: [node], ...mirror('half', 'copies', 50) },
      /Fault Injected/,
    ],
    [
      'a mirror without endpoints',
      { name: 'to-nobody', endpoints: [node], ...mirror('to-nobody', 'empty') },
      /^OK,OK,$/,
    ],
    [
      'a mirror whose password was never known',
      { name: 'to-closed', endpoints: [node], ...mirror('to-closed', 'closed') },
      /^OK,OK,$/,
    ],
    [
      'replicas that were down from the start',
      {
        name: 'dead-replicas',
        endpoints: [node],
        settings: { readPolicy: 'REPLICA' },
        rules: [{ route: { host: 'dead-replicas', reads: { host: 'down' } } }],
      },
      /^OK,OK,$/,
    ],
    [
      'replicas that are not there',
      {
        name: 'no-replicas',
        endpoints: [node],
        settings: { readPolicy: 'REPLICA' },
        rules: [{ route: { host: 'no-replicas', reads: { host: 'empty' } } }],
      },
      /^OK,OK,$/,
    ],
  ];
}

async function setUp(t: Ending, envoy: string): ReturnType<typeof startHosts> {
  const node = await startRecordingNode(t);
  const copies = await startRecordingNode(t);
  const [dead = 0] = await freePorts(1);
  const hosts = hazards(node.port, dead).map(([, host]) => host);
  return await startHosts(t, envoy, [{ name: 'copies', endpoints: [copies.port] }, ...hosts]);
}

test('transactions where Envoy is in danger', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const { sidecar, client } = await setUp(t, envoy);
  for (const [what, { name }, expected] of hazards(0, 0)) {
    await t.test(what, async () => {
      for (let attempt = 0; attempt < 15; attempt++) {
        const answers = await transaction(client(name));
        assert.match(answers.join(), expected);
        // A read within a transaction, and one that is given up.
        await answerOf(client(name).pipeline().call('MULTI').get('key').call('DISCARD').exec());
        assert.ok(sidecar.envoy.process.isRunning(), `Envoy ended:\n${sidecar.envoy.process.lastLines()}`);
      }
    });
  }
});

test('changes while a transaction is open', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const node = await startRecordingNode(t);
  const hosts = await startHosts(t, envoy, [
    { name: 'emptied', endpoints: [node.port] },
    { name: 'edited', endpoints: [node.port] },
    { name: 'removed', endpoints: [node.port] },
    { name: 'locked', endpoints: [node.port] },
  ]);
  const { sidecar, client, objects } = hosts;
  const changes: readonly (readonly [
    what: string,
    name: string,
    change: () => Promise<void>,
    done: () => Promise<boolean>,
  ])[] = [
    [
      'its host loses all endpoints',
      'emptied',
      () => sidecar.write('emptied.yaml', objects('emptied', { endpoints: [] })),
      async () => (await sidecar.envoy.admin('/clusters')).includes('127.255.255.254:1'),
    ],
    [
      'its object is edited',
      'edited',
      () => sidecar.write('edited.yaml', objects('edited', { settings: { opTimeout: '7s' } })),
      async () => (await sidecar.envoy.admin('/config_dump')).includes('"op_timeout": "7s"'),
    ],
    [
      'its object goes',
      'removed',
      () => sidecar.remove('removed.yaml'),
      async () => !(await sidecar.envoy.admin('/listeners')).includes('removed.redis'),
    ],
    [
      'its password is asked for and not known',
      'locked',
      () => sidecar.write('locked.yaml', objects('locked', { upstreamAuth: secret })),
      async () => /locked.*\n(.*\n)*?.*"type": "STATIC"/.test(await sidecar.envoy.admin('/config_dump')),
    ],
  ];
  for (const [what, name, change, done] of changes) {
    await t.test(what, async () => {
      const [early, late] = [client(name), client(name)];
      await late.get('key');
      assert.equal(await early.call('MULTI'), 'OK');
      await change();
      await eventually('the change in Envoy', async () => ((await done()) ? true : undefined));
      for (const command of [['SET', 'key', 'value'], ['EXEC']] as [string, ...string[]][]) {
        const [command_, ...args] = command;
        await answerOf(early.call(command_, ...args));
      }
      await transaction(late);
      await transaction(client(name));
      assert.ok(sidecar.envoy.process.isRunning(), `Envoy ended:\n${sidecar.envoy.process.lastLines()}`);
    });
  }
});
