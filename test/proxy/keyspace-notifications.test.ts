/** Keyspace notifications, which each node tells of its own keys only, before scripted nodes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { BUSY, array, clientOf, planTo, proxyFor, serverThat } from './servers.ts';
import { planToServers } from './several-servers.ts';
import { EXPIRED, DELETED, message, bulk, NOTHING_LEFT, confirmation, setUp, got } from './keyspace-scene.ts';

test('each primary is asked, and the client told once', async (t) => {
  const { client, asked, tell } = await setUp(t);
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\nPSUBSCRIBE __key*\r\n`);
  const confirmed = array('subscribe', EXPIRED, ':1') + array('psubscribe', '__key*', ':2');
  await got(client, confirmed);
  const both = [`subscribe ${EXPIRED}`, 'psubscribe __key*'];
  assert.deepEqual(asked(), [both, both, [], []]);
  tell(0, message(EXPIRED, 'k0'));
  await got(client, confirmed + message(EXPIRED, 'k0'));
  tell(1, message(EXPIRED, 'k1'));
  await got(client, confirmed + message(EXPIRED, 'k0') + message(EXPIRED, 'k1'));
});

test('who subscribes is told once all primaries have confirmed it, and hears nothing before', async (t) => {
  let late = '';
  const { client, asked, tell } = await setUp(t, (words, node) => {
    if (!words.includes('subscribe')) return undefined;
    const confirmed = confirmation(words) ?? '';
    if (node === 0) return confirmed + message(EXPIRED, 'before');
    late = confirmed;
    return undefined;
  });
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\nPING\r\n`);
  await eventually('both being asked', () => (asked()[0]?.length === 1 && late !== '') || undefined);
  // Behind its confirmation by one, before that by the other.
  tell(1, message(EXPIRED, 'before') + late);
  const confirmed = array('subscribe', EXPIRED, ':1') + '*2\r\n$4\r\npong\r\n$0\r\n\r\n';
  await got(client, confirmed);
  tell(0, message(EXPIRED, 'k0'));
  await got(client, confirmed + message(EXPIRED, 'k0'));
});

test('among other channels each has its place and its count', async (t) => {
  const { client, asked } = await setUp(t);
  client.socket.write(`SUBSCRIBE a b ${EXPIRED} c\r\nUNSUBSCRIBE b ${EXPIRED} b\r\n`);
  const subscribed = ['a', 'b', EXPIRED, 'c'].map((name, index) => array('subscribe', name, `:${index + 1}`));
  const left = [
    array('unsubscribe', 'b', ':3'),
    array('unsubscribe', EXPIRED, ':2'),
    array('unsubscribe', 'b', ':2'),
  ];
  await got(client, [...subscribed, ...left].join(''));
  const all = asked().flat();
  assert.equal(all.filter((words) => words === 'subscribe a b').length, 1);
  assert.equal(all.filter((words) => words === `subscribe ${EXPIRED}`).length, 2);
});

test('who leaves all channels leaves those, too, but no patterns, and hears no more', async (t) => {
  const { client, asked, tell, port } = await setUp(t, (words) =>
    // It goes on telling what it has.
    words === `unsubscribe ${EXPIRED}` ? message(EXPIRED, 'late') + confirmation(words) : confirmation(words),
  );
  client.socket.write(`SUBSCRIBE a ${EXPIRED}\r\nPSUBSCRIBE __keyspace@*\r\nUNSUBSCRIBE\r\n`);
  const expected = [
    array('subscribe', 'a', ':1'),
    array('subscribe', EXPIRED, ':2'),
    array('psubscribe', '__keyspace@*', ':3'),
  ].join('');
  await eventually('the last', () => client.got().includes(array('unsubscribe', EXPIRED, ':1')) || undefined);
  assert.ok(client.got().startsWith(expected));
  client.socket.write('PUNSUBSCRIBE\r\nUNSUBSCRIBE\r\n');
  await eventually('the end', () => client.got().endsWith(NOTHING_LEFT) || undefined);
  assert.doesNotMatch(client.got().slice(client.got().indexOf(EXPIRED, expected.length)), /late/);
  assert.deepEqual(
    asked().map((words) => words.filter((each) => each === `unsubscribe ${EXPIRED}`).length),
    [1, 1, 0, 0],
  );
  tell(0, message(EXPIRED, 'later'));
  const other = clientOf(t, port);
  other.socket.write('PING\r\n');
  await eventually('a reply', () => other.got() !== '' || undefined);
  assert.doesNotMatch(client.got(), /later/);
});

test('leaving what nobody has subscribed to asks nobody', async (t) => {
  const { client, asked } = await setUp(t);
  client.socket.write(`UNSUBSCRIBE ${EXPIRED}\r\nPUNSUBSCRIBE __key* __key*\r\nPING\r\n`);
  const nothing = array('punsubscribe', '__key*', ':0');
  await got(client, `${array('unsubscribe', EXPIRED, ':0')}${nothing}${nothing}+PONG\r\n`);
  assert.deepEqual(asked(), [[], [], [], []]);
});

test('very many channels of both kinds are left without each waiting within the other', async (t) => {
  // Nobody is there: what is left is confirmed at once.
  const { port } = await proxyFor(t, planTo(1));
  const client = clientOf(t, port);
  const names = Array.from({ length: 8_000 }, (_, index) => (index % 2 === 0 ? 'a' : EXPIRED));
  const words = ['UNSUBSCRIBE', ...names].map((word) => `${bulk(word)}\r\n`);
  client.socket.write(`*${words.length}\r\n${words.join('')}`);
  const expected = names.map((name) => array('unsubscribe', name, ':0')).join('');
  await eventually('all', () => client.got().length >= expected.length || undefined);
  assert.equal(client.got(), expected);
});

test('who is refused has heard nothing of those that were not', async (t) => {
  let isAsked = false;
  const { client, tell } = await setUp(t, (words, node) => {
    if (node !== 1 || words !== `subscribe ${EXPIRED}`) return confirmation(words);
    isAsked = true;
    return undefined;
  });
  client.socket.write(`SUBSCRIBE ${DELETED}\r\nSUBSCRIBE ${EXPIRED}\r\nPING\r\n`);
  const confirmed = array('subscribe', DELETED, ':1');
  await eventually('the second primary being asked', () => isAsked || undefined);
  tell(0, message(EXPIRED, 'k') + message(DELETED, 'k'));
  await got(client, confirmed + message(DELETED, 'k'));
  tell(1, '-NOPERM no channel\r\n');
  await got(
    client,
    `${confirmed}${message(DELETED, 'k')}-NOPERM no channel\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n`,
  );
});

test('of several channels none is asked for behind one that is refused', async (t) => {
  const { client, asked } = await setUp(t, (words) =>
    words === 'subscribe a' ? '-NOPERM no channel\r\n' : confirmation(words),
  );
  client.socket.write(`SUBSCRIBE a ${EXPIRED}\r\nPING\r\n`);
  await got(client, '-NOPERM no channel\r\n+PONG\r\n');
  assert.ok(!asked().flat().includes(`subscribe ${EXPIRED}`));
});

test('what one primary refuses is the reply, and the others are left', async (t) => {
  const refusal = '-NOPERM no channel\r\n';
  const { client, asked } = await setUp(t, (words, node) =>
    node === 1 && words === `subscribe ${EXPIRED}` ? refusal : confirmation(words),
  );
  client.socket.write(`SUBSCRIBE ${DELETED}\r\nSUBSCRIBE ${EXPIRED}\r\n`);
  await eventually('the first being left', () => asked()[0]?.includes(`unsubscribe ${EXPIRED}`));
  client.socket.write('UNSUBSCRIBE\r\n');
  await got(client, array('subscribe', DELETED, ':1') + refusal + array('unsubscribe', DELETED, ':0'));
});

test('what is refused ends its command: nothing that is named behind it is asked for', async (t) => {
  const refusal = '-NOPERM no channel\r\n';
  const { client, asked } = await setUp(t, (words) =>
    words === `subscribe ${EXPIRED}` ? refusal : confirmation(words),
  );
  client.socket.write(`SUBSCRIBE a ${EXPIRED} b\r\nSUBSCRIBE c\r\n`);
  await got(client, array('subscribe', 'a', ':1') + refusal + array('subscribe', 'c', ':2'));
  assert.ok(!asked().flat().includes('subscribe b'));
});

test('a successor is asked once its predecessor is left, and whoever comes', async (t) => {
  const { client, cluster, asked, tell } = await setUp(t, (words, node) => {
    // What the former tells from now on comes twice, if anybody listens.
    if (node === 2 && words.includes('subscribe')) tell(0, message(EXPIRED, 'of 0'));
    return confirmation(words);
  });
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\nPSUBSCRIBE __keyspace@*\r\n`);
  await eventually('both', () => client.got().includes('psubscribe') || undefined);
  const before = client.got();
  cluster.slots = [
    [0, 8_191, 2, 0],
    [8_192, 12_000, 1],
    [12_001, 16_383, 3],
  ];
  const wanted = [`subscribe ${EXPIRED}`, 'psubscribe __keyspace@*'];
  await eventually('the new ones', () => [2, 3].every((node) => asked()[node]?.length === 2) || undefined, {
    seen: () => JSON.stringify(asked()),
  });
  assert.deepEqual(asked(), [wanted, wanted, wanted, wanted]);
  for (const node of [1, 2, 3]) tell(node, message(EXPIRED, `of ${node}`));
  const keys = (): readonly string[] => [...client.got().slice(before.length).matchAll(/of \d/g)].flat();
  await eventually('three', () => keys().length >= 3 || undefined, { seen: () => keys().join() });
  assert.deepEqual(keys().toSorted(), ['of 1', 'of 2', 'of 3']);
});

test('a connection that is lost is made again', async (t) => {
  const { client, asked, tell, cluster } = await setUp(t);
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\n`);
  const confirmed = array('subscribe', EXPIRED, ':1');
  await got(client, confirmed);
  for (const socket of cluster.nodes[1]?.sockets ?? []) socket.destroy();
  await eventually('it being asked again', () => asked()[1]?.length === 2 || undefined);
  tell(1, message(EXPIRED, 'k'));
  await got(client, confirmed + message(EXPIRED, 'k'));
  assert.equal(asked()[0]?.length, 1);
});

test('a primary that can not be asked is not waited for, and asked as soon as it can be', async (t) => {
  let isBusy = true;
  const { client, asked, tell } = await setUp(t, (words, node) => {
    if (node !== 1 || !isBusy) return confirmation(words);
    return /^(?:PING|INFO|subscribe)/i.test(words) ? BUSY : undefined;
  });
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\n`);
  const confirmed = array('subscribe', EXPIRED, ':1');
  await got(client, confirmed);
  isBusy = false;
  const last = (): string | undefined => asked()[1]?.at(-1);
  const before = asked()[1]?.length ?? 0;
  await eventually('it being asked', () => (asked()[1]?.length ?? 0) > before || undefined, {
    seen: () => String(last()),
    deadlineMs: 20_000,
  });
  tell(1, message(EXPIRED, 'k'));
  await got(client, confirmed + message(EXPIRED, 'k'));
});

test('while no primary can be asked who subscribes waits, and fails in the end', async (t) => {
  const { client } = await setUp(t, (words) => (/^(?:PING|INFO|subscribe)/i.test(words) ? BUSY : undefined));
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\nPING\r\n`);
  await eventually('replies', () => client.got().endsWith('+PONG\r\n') || undefined);
  assert.equal(client.got(), `${BUSY}+PONG\r\n`);
});

test('who may have fewer connections than there are primaries is told so, and hears of none', async (t) => {
  const { cluster } = await setUp(t, (words) => {
    const confirmed = confirmation(words);
    return words === `subscribe ${EXPIRED}` ? confirmed + message(EXPIRED, 'k') : confirmed;
  });
  const plan = cluster.plan();
  const upstreams = new Map(
    [...plan.upstreams].map(([id, upstream]) => [id, { ...upstream, maxConnections: 1 }] as const),
  );
  const { proxy, port } = await proxyFor(t, { ...plan, upstreams });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\nPING\r\n`);
  await got(client, '-ERR max number of connections to Redis reached\r\n+PONG\r\n');
});

test('they go with the plan to another upstream', async (t) => {
  const { client, cluster, proxy, tell } = await setUp(t);
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\n`);
  await eventually('the confirmation', () => client.got() !== '' || undefined);
  const confirmed = client.got();
  const other = await serverThat(t, (words) => confirmation(words) ?? '+OK\r\n');
  await proxy.update(planTo(other.port));
  await eventually('it being asked', () => other.asked.includes(`subscribe ${EXPIRED}`) || undefined);
  await eventually(
    'the end of the others',
    () => cluster.nodes.every(({ sockets }) => sockets.size === 0) || undefined,
  );
  tell(0, message(EXPIRED, 'nobody'));
  for (const socket of other.sockets) socket.write(message(EXPIRED, 'k'));
  await got(client, confirmed + message(EXPIRED, 'k'));
});

test('each of several plain servers is asked', async (t) => {
  const [FIRST, SECOND] = ['127.0.0.11', '127.0.0.12'];
  const answer = (words: string): string => confirmation(words) ?? '+OK\r\n';
  const first = await serverThat(t, answer, { host: FIRST, port: 0 });
  const second = await serverThat(t, answer, { host: SECOND, port: first.port });
  const endpoints = [FIRST, SECOND].map((address) => ({ address, port: first.port, hashKey: address }));
  const { port, proxy } = await proxyFor(t, planToServers({ kind: 'endpoints', endpoints }));
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('PSUBSCRIBE __keyevent@* news*\r\n');
  const confirmed = array('psubscribe', '__keyevent@*', ':1') + array('psubscribe', 'news*', ':2');
  await got(client, confirmed);
  const asked = [first, second].map((server) => server.asked.filter((words) => words.startsWith('psub')));
  assert.deepEqual(asked, [['psubscribe __keyevent@*', 'psubscribe news*'], ['psubscribe __keyevent@*']]);
});

test('who goes leaves no connection', async (t) => {
  const { client, subscribers } = await setUp(t);
  client.socket.write(`SUBSCRIBE ${EXPIRED}\r\n`);
  await eventually('both', () => subscribers() === 2 || undefined);
  client.socket.destroy();
  await eventually('none', () => subscribers() === 0 || undefined);
});

test('in RESP3 what was asked before is answered before, and messages of others do not wait for it', async (t) => {
  let answer: ((reply: string) => void) | undefined;
  const { client, asked, tell } = await setUp(t, (words, _, socket) => {
    if (words.startsWith('HELLO')) return '%0\r\n';
    if (words !== 'GET k') return confirmation(words)?.replaceAll('*3', '>3');
    answer = (reply) => void socket.write(reply);
    return undefined;
  });
  client.socket.write(`HELLO 3\r\nSUBSCRIBE ${DELETED}\r\n`);
  const pushed = (text: string): string => text.replace('*3', '>3');
  const first = pushed(array('subscribe', DELETED, ':1'));
  await eventually('the first', () => client.got().endsWith(first) || undefined);
  const before = client.got();
  client.socket.write(`GET k\r\nSUBSCRIBE ${EXPIRED}\r\n`);
  await eventually('GET', () => answer !== undefined || undefined);
  for (const node of [0, 1]) tell(node, pushed(message(DELETED, 'a')));
  const messages = pushed(message(DELETED, 'a')).repeat(2);
  await got(client, before + messages);
  assert.ok(!asked().flat().includes(`subscribe ${EXPIRED}`));
  answer?.('$1\r\nv\r\n');
  await got(client, `${before}${messages}$1\r\nv\r\n${pushed(array('subscribe', EXPIRED, ':2'))}`);
});
