import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Fault } from '../../src/api/objects.ts';
import { aServer, copied } from './mirrored.ts';
import { withFault } from './servers.ts';

for (const command of [
  'FLUSHALL',
  'FLUSHDB ASYNC',
  'KEYS *',
  'DBSIZE',
  'RANDOMKEY',
  'FUNCTION LOAD code',
  'FUNCTION DELETE name',
  'FUNCTION FLUSH',
  'FUNCTION RESTORE dump',
]) {
  test(`${command} is copied to every primary of a mirror, once`, async (t) => {
    const { copies } = await copied(t, await aServer(t), [command]);
    assert.deepEqual(copies, [[command], [command], []]);
  });
}

for (const command of ['SCRIPT LOAD code', 'SCRIPT FLUSH']) {
  test(`${command} is copied to every node of a mirror, once`, async (t) => {
    const { copies } = await copied(t, await aServer(t), [command]);
    assert.deepEqual(copies, [[command], [command], [command]]);
  });
}

for (const command of ['PUBLISH c x', 'EVAL code 0', 'EVALSHA sha 0', 'EVAL_RO code 0', 'FCALL name 0']) {
  test(`${command} is copied to one node of a mirror`, async (t) => {
    const { copies } = await copied(t, await aServer(t), [command]);
    assert.deepEqual(copies.flat(), [command]);
  });
}

test('what is about a server itself, or walks through it, is not copied', async (t) => {
  const commands = [
    'CONFIG GET x',
    'CONFIG SET x y',
    'CONFIG RESETSTAT',
    'SLOWLOG RESET',
    'SCRIPT EXISTS sha',
    'SCRIPT KILL',
    'FUNCTION LIST',
    'PUBSUB CHANNELS',
    'ROLE',
    'TIME',
    'MEMORY DOCTOR',
    'SCAN 0',
    'CLIENT SETNAME x',
    'ECHO x',
    'SELECT 0',
  ];
  const { copies } = await copied(t, await aServer(t), commands);
  assert.deepEqual(copies.flat(), []);
});

test('a mirror of writes gets FLUSHALL, PUBLISH and scripts, and no KEYS, DBSIZE or EVAL_RO', async (t) => {
  const writes = ['FLUSHALL', 'PUBLISH c x', 'EVAL code 0', 'SCRIPT LOAD code'];
  const reads = ['KEYS *', 'DBSIZE', 'RANDOMKEY', 'EVAL_RO code 0'];
  const { copies } = await copied(t, await aServer(t), [...reads, ...writes], {
    isOfCluster: false,
    excludeReads: true,
  });
  assert.deepEqual(copies, [writes]);
});

test('copies come in the order of the client, with keys or without', async (t) => {
  const commands = [
    'SET k 1',
    'FLUSHALL',
    'SET k 2',
    'PUBLISH c x',
    'EVAL code 0',
    'DEL k',
    'SCRIPT LOAD code',
  ];
  const { copies } = await copied(t, await aServer(t), commands, { isOfCluster: false });
  assert.deepEqual(copies, [commands]);
});

test('what a fault has answered is not copied', async (t) => {
  const fault: Fault = {
    type: 'ERROR',
    percentage: 100,
    delayMs: undefined,
    commands: ['flushall', 'publish'],
  };
  const { copies } = await copied(t, await aServer(t), ['FLUSHALL', 'PUBLISH c x'], {
    change: (plan) => withFault(plan, fault),
  });
  assert.deepEqual(copies.flat(), []);
});

test('what has the wrong number of arguments is not copied', async (t) => {
  const { copies } = await copied(t, await aServer(t), ['KEYS', 'DBSIZE x', 'RANDOMKEY x']);
  assert.deepEqual(copies.flat(), []);
});

test('of a command in several copies a mirror of half gets all or none', async (t) => {
  const commands = Array.from({ length: 40 }, (_, at) => [`FLUSHALL ${at}`, `MSET a ${at} b ${at}`]).flat();
  const { copies } = await copied(t, await aServer(t), commands, { percentage: 50 });
  const [first = [], second = []] = copies.map((words) => words.map((word) => word.split(' ').at(-1)));
  assert.ok(first.length > 0 && first.length < commands.length, `${first.length} of ${commands.length}`);
  assert.deepEqual(first, second);
});

test('of a command over several routes a mirror of half gets all or none', async (t) => {
  const commands = Array.from({ length: 40 }, (_, at) => `MSET x:a ${at} b ${at}`);
  const { copies } = await copied(t, await aServer(t), commands, {
    percentage: 50,
    isOfCluster: false,
    change: (plan) => ({
      ...plan,
      listeners: plan.listeners.map(({ bind, listener }) => {
        const { routes } = listener;
        const { catchAll = assert.fail() } = routes;
        const prefixes = [{ ...catchAll, prefix: 'x:', removePrefix: false }];
        return { bind, listener: { ...listener, routes: { ...routes, prefixes } } };
      }),
    }),
  });
  const [first = [], second = []] = ['x:a', 'b'].map((key) =>
    (copies[0] ?? []).filter((words) => words.includes(` ${key} `)).map((words) => words.split(' ').at(-1)),
  );
  assert.ok(first.length > 0 && first.length < commands.length, `${first.length} of ${commands.length}`);
  assert.deepEqual(first, second);
});
