import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect as open } from 'node:net';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { needEnvoy } from './environment.ts';
import { startHosts, type Host } from './hosts.ts';
import { documents, hostObjects, redisService, serviceObjects } from './objects.ts';
import { startSilentHost } from './silent-host.ts';
import { startRecordingNode, type RecordingNode } from './recording-node.ts';
import { answerOf, connect, startSidecar } from './sidecar.ts';

const OPEN = { enableReadyCheck: false, maxRetriesPerRequest: 3 };

test('settings of a listener do on the wire what they say', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const node = (): Promise<RecordingNode> => startRecordingNode(t);
  const [a, b, c, d] = [await node(), await node(), await node(), await node()];
  const target = await node();
  const lost = await startRecordingNode(t, ({ name }) =>
    name === 'get' ? `-MOVED 1 127.0.0.1:${target.port}\r\n` : undefined,
  );
  const hosts: readonly Host[] = [
    { name: 'plain', endpoints: [a.port] },
    { name: 'shards', endpoints: [a.port, b.port, c.port, d.port], settings: { enableHashtagging: true } },
    {
      name: 'folding',
      endpoints: [a.port],
      settings: { caseInsensitive: true },
      rules: [{ match: { key: { prefix: 'User' } }, route: { host: 'plain' } }],
    },
    { name: 'stats', endpoints: [b.port], settings: { enableCommandStats: true } },
    {
      name: 'batching',
      endpoints: [a.port],
      settings: { maxBufferSizeBeforeFlush: 1_024, bufferFlushTimeout: '400ms' },
    },
    { name: 'following', endpoints: [lost.port], settings: { enableRedirection: true } },
    {
      name: 'known-only',
      endpoints: [lost.port],
      settings: { enableRedirection: true, maxUpstreamUnknownConnections: 0 },
    },
    {
      name: 'hung',
      endpoints: [(await startRecordingNode(t, ({ name }) => (name === 'get' ? '' : undefined))).port],
      settings: { opTimeout: '300ms' },
    },
    {
      name: 'unreachable',
      endpoints: [await startSilentHost(t)],
      settings: { opTimeout: '60s' },
      tcp: { connectTimeout: '300ms' },
    },
    {
      name: 'alive',
      endpoints: [c.port],
      tcp: { tcpKeepalive: { probes: 3, time: '60s', interval: '5s' }, maxConnections: 7 },
    },
  ];
  const { sidecar, port } = await startHosts(t, envoy, hosts);

  await t.test('caseInsensitive: a prefix matches in every spelling, and the key keeps its own', async () => {
    const client = connect(t, port('folding'), OPEN);
    assert.equal(await client.get('uSER:1'), null);
    assert.match(String(await answerOf(client.get('other'))), /no upstream host/);
    assert.deepEqual(a.ofClients().at(-1)?.args, ['uSER:1']);
  });

  await t.test('enableHashtagging: keys with one tag go to one server', async () => {
    for (const node of [a, b, c, d]) node.forget();
    const client = connect(t, port('shards'), OPEN);
    for (let at = 0; at < 40; at++) await client.get(`${at}{tag}${at}`);
    const counts = [a, b, c, d].map((node) => node.ofClients().length).filter((count) => count > 0);
    assert.deepEqual(counts, [40]);
  });

  await t.test('enableCommandStats: Envoy counts each command of the upstream', async () => {
    await connect(t, port('stats'), OPEN).get('key');
    await eventually('the count', async () => {
      const stats = await sidecar.envoy.stats('upstream_commands.get.total');
      return [...stats].some(([name, count]) => name.includes('stats') && count > 0) ? true : undefined;
    });
  });

  await t.test('maxBufferSizeBeforeFlush and bufferFlushTimeout: a small request waits', async () => {
    const client = connect(t, port('batching'), OPEN);
    await client.get('first');
    const started = performance.now();
    await client.get('second');
    assert.ok(performance.now() - started >= 390);
  });

  await t.test('enableRedirection: a MOVED to an unknown node is followed', async () => {
    assert.equal(await connect(t, port('following'), OPEN).get('key'), null);
    assert.deepEqual(
      target.ofClients().map(({ name }) => name),
      ['get'],
    );
  });

  await t.test('maxUpstreamUnknownConnections 0: it is not, and the client sees it', async () => {
    assert.match(String(await answerOf(connect(t, port('known-only'), OPEN).get('key'))), /MOVED/);
  });

  await t.test('opTimeout: a server that does not answer costs that long', async () => {
    const started = performance.now();
    const client = connect(t, port('hung'), { ...OPEN, maxRetriesPerRequest: 0 });
    assert.match(String(await answerOf(client.get('key'))), /upstream failure/);
    assert.ok(performance.now() - started < 4_000);
  });

  await t.test('connectTimeout: a server that can not be reached costs that long', async () => {
    const started = performance.now();
    const client = connect(t, port('unreachable'), { ...OPEN, maxRetriesPerRequest: 0 });
    assert.match(String(await answerOf(client.get('key'))), /upstream failure/);
    const took = performance.now() - started;
    assert.ok(took > 250 && took < 10_000, `it took ${took} ms`);
    const [timeouts] = (await sidecar.envoy.stats('unreachable.*upstream_cx_connect_timeout')).values();
    assert.ok((timeouts ?? 0) > 0);
  });

  await t.test('tcpKeepalive: the connection to Redis has a keepalive timer', async () => {
    await connect(t, port('alive'), OPEN).get('key');
    const timers = connectionsTo(c.port).map(({ timer }) => timer);
    assert.ok(timers.includes('02'), `timers seen: ${timers.join(', ')}`);
  });
});

/** Established TCP connections to a local port, with the kernel's timer of each (02: keepalive). */
function connectionsTo(port: number): readonly { readonly timer: string }[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, state]) => remote?.endsWith(`:${hex}`) && state === '01')
    .map((fields) => ({ timer: fields[5]?.slice(0, 2) ?? '' }));
}

test('mirrors copy what they should, and faults strike whom they should', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const [main, all, writes, half] = [
    await startRecordingNode(t),
    await startRecordingNode(t),
    await startRecordingNode(t),
    await startRecordingNode(t),
  ];
  const mirror = (host: string, more: object = {}): object => ({ route: { host }, ...more });
  const { port } = await startHosts(t, envoy, [
    { name: 'all', endpoints: [all.port] },
    { name: 'writes', endpoints: [writes.port] },
    { name: 'half', endpoints: [half.port] },
    {
      name: 'mirrored',
      endpoints: [main.port],
      rules: [
        {
          route: { host: 'mirrored' },
          mirror: [
            mirror('all'),
            mirror('writes', { excludeReadCommands: true }),
            mirror('half', { percentage: { value: 50 } }),
          ],
        },
      ],
    },
    {
      name: 'faulty',
      endpoints: [main.port],
      faults: [
        { type: 'ERROR', commands: ['GET'] },
        { type: 'ERROR', percentage: { value: 50 }, commands: ['HGET'] },
        { type: 'DELAY', delay: '300ms', commands: ['SET'] },
      ],
    },
  ]);

  await t.test('a mirror of all, one of writes and one of half', async () => {
    const client = connect(t, port('mirrored'), OPEN);
    const base = half.ofClients().length;
    for (let at = 0; at < 200; at++) {
      await client.get(`key:${at}`);
      await client.set(`key:${at}`, 'value');
    }
    const count = (node: RecordingNode, name: string): number =>
      node.ofClients().filter((command) => command.name === name).length;
    await eventually('the copies', () => (count(all, 'set') === 200 ? true : undefined));
    assert.deepEqual([count(main, 'get'), count(main, 'set')], [200, 200]);
    assert.deepEqual([count(all, 'get'), count(all, 'set')], [200, 200]);
    assert.deepEqual([count(writes, 'get'), count(writes, 'set')], [0, 200]);
    const copied = half.ofClients().length - base;
    assert.ok(copied > 120 && copied < 280, `${copied} of 400 were copied`);
  });

  await t.test('a fault of 100 %, one of half, a delay, and none', async () => {
    const client = connect(t, port('faulty'), OPEN);
    assert.match(String(await answerOf(client.get('key'))), /Fault Injected: Error/);
    const answers: unknown[] = [];
    for (let at = 0; at < 200; at++) answers.push(await answerOf(client.hget('key', 'field')));
    const errors = answers.filter((answer) => /Fault/.test(String(answer))).length;
    assert.ok(errors > 60 && errors < 140, `${errors} of 200 failed`);
    const started = performance.now();
    await client.set('key', 'value');
    assert.ok(performance.now() - started >= 290);
    assert.equal(await client.incr('key'), 'OK');
  });
});

test('listeners listen where annotations, the node or a hash of the host say', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const [a, b] = [await startRecordingNode(t), await startRecordingNode(t)];
  const [port = 0, other = 0] = await freePorts(2);
  const host = (name: string, node: RecordingNode, annotations?: Record<string, string>): string =>
    hostObjects({ name, port, endpoints: [node.port], mode: 'PROXY', ...(annotations && { annotations }) });
  const { controlPlane, envoy: running } = await startSidecar(t, {
    envoy,
    node: { bind: 'auto' },
    files: {
      'a.yaml': host('a', a),
      'b.yaml': host('b', b),
      'c.yaml': host('c', b, { listen: `127.0.0.9:${other}` }),
    },
  });
  const addresses = await eventually('three listeners', async () => {
    const { listener_statuses: statuses = [] } = JSON.parse(
      await running.admin('/listeners?format=json'),
    ) as {
      listener_statuses?: {
        name: string;
        local_address: { socket_address: { address: string; port_value: number } };
      }[];
    };
    const found = statuses.map(
      ({ name, local_address: { socket_address: at } }) => [name.split('.')[0] ?? '', at] as const,
    );
    return found.length === 3 ? new Map(found) : undefined;
  });
  const errors = controlPlane.diagnostics().filter(({ severity }) => severity === 'error');
  assert.deepEqual(
    errors.map(({ message }) => message),
    [],
  );
  const [ofA, ofB, ofC] = ['a', 'b', 'c'].map((name) => addresses.get(name));
  assert.deepEqual(ofC, { address: '127.0.0.9', port_value: other });
  assert.deepEqual([ofA?.port_value, ofB?.port_value], [port, port]);
  assert.notEqual(ofA?.address, ofB?.address);
  assert.match(ofA?.address ?? '', /^127\.(?!0\.)/);
  const client = connect(t, port, { ...OPEN, host: ofA?.address ?? '' });
  await client.get('key');
  assert.deepEqual([a.ofClients().length, b.ofClients().length], [1, 0]);
});

test('a node gets the objects for its namespace, and those that are exported to it', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const node = await startRecordingNode(t);
  const ports = await freePorts(3);
  const host = (name: string, at: number, exportTo?: string): string =>
    hostObjects({
      name,
      port: ports[at] ?? 0,
      endpoints: [node.port],
      mode: 'PROXY',
      ...(exportTo === undefined ? {} : { annotations: { 'export-to': exportTo } }),
    });
  const { envoy: running } = await startSidecar(t, {
    envoy,
    node: { namespace: 'shop' },
    files: {
      'a.yaml': host('everybody', 0),
      'b.yaml': host('own', 1, '.'),
      'c.yaml': host('shops', 2, 'shop,bank'),
    },
  });
  const names = await eventually('two listeners', async () => {
    const { listener_statuses: statuses = [] } = JSON.parse(
      await running.admin('/listeners?format=json'),
    ) as {
      listener_statuses?: { name: string }[];
    };
    return statuses.length > 0
      ? statuses.map(({ name }) => name.split('.')[0]).sort((a, b) => ((a ?? '') < (b ?? '') ? -1 : 1))
      : undefined;
  });
  assert.deepEqual(names, ['everybody', 'shops']);
});

test('a RESP3 listener gives maps, and refuses what comes before HELLO 3', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const node = await startRecordingNode(t, ({ name }) => {
    if (name === 'hello') return '%1\r\n$5\r\nproto\r\n:3\r\n';
    return name === 'hgetall' ? '%1\r\n$5\r\nfield\r\n$5\r\nvalue\r\n' : undefined;
  });
  const { port } = await startHosts(t, envoy, [
    { name: 'three', endpoints: [node.port], annotations: { protocol: 'RESP3' } },
  ]);
  assert.match(await rawAnswer(port('three'), 'GET key\r\n'), /^-NOPROTO/);
  const answer = await rawAnswer(port('three'), 'HELLO 3\r\nHGETALL key\r\n', /value/);
  assert.match(answer, /%1\r\n\$5\r\nfield\r\n\$5\r\nvalue\r\n$/);
});

/** Sends inline commands and gives what comes back, up to the first line or to what is waited for. */
async function rawAnswer(port: number, text: string, until: RegExp = /\r\n/): Promise<string> {
  return await new Promise((resolve, reject) => {
    let answer = '';
    const socket = open(port, '127.0.0.1', () => socket.write(text));
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer but ${JSON.stringify(answer)}`)));
    socket.on('error', reject);
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1');
      if (!until.test(answer)) return;
      socket.destroy();
      resolve(answer);
    });
  });
}

test('a consumer object governs its own namespace and wins there', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const [own, theirs] = [await startRecordingNode(t), await startRecordingNode(t)];
  const [port = 0] = await freePorts(1);
  const consumer = {
    ...redisService({ name: 'theirs' }),
    metadata: { name: 'consumer', namespace: 'shop' },
    spec: { host: ['host.redis'], redis: [{ route: { host: 'other.redis' } }] },
  };
  const { envoy: running } = await startSidecar(t, {
    envoy,
    node: { namespace: 'shop' },
    files: {
      'host.yaml': hostObjects({ name: 'host', port, endpoints: [own.port], mode: 'PROXY' }),
      'other.yaml': documents(...serviceObjects({ name: 'other', port, endpoints: [theirs.port] }), consumer),
    },
  });
  await eventually('a listener', async () =>
    (await running.admin('/listeners')).includes('host.redis') ? true : undefined,
  );
  await connect(t, port, OPEN).get('key');
  assert.deepEqual([own.ofClients().length, theirs.ofClients().length], [0, 1]);
});
