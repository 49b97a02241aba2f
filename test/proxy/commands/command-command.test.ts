import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { Redis } from 'ioredis';

import { eventually } from '../../../src/demo/eventually.ts';
import { allCommands, KIND } from '../../../src/redis/command-table.ts';
import { clientOf, planTo, proxyFor, serverThat, type Server } from '../servers.ts';

const OURS = allCommands().filter(({ kind }) => kind !== KIND.refused).length;

/** As a module's: `JSON.GET key`, a read; `JSON.WIPE`, for administrators. */
const JSON_GET = '*6\r\n$8\r\njson.get\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n';
const JSON_WIPE = '*6\r\n$9\r\njson.wipe\r\n:1\r\n*2\r\n+write\r\n+admin\r\n:0\r\n:0\r\n:0\r\n';
/** Refused here. */
const SHUTDOWN = '*6\r\n$8\r\nshutdown\r\n:-1\r\n*1\r\n+admin\r\n:0\r\n:0\r\n:0\r\n';
const GET = '*6\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n';

async function start(
  t: TestContext,
  commands: string,
): Promise<{ readonly redis: Server; readonly through: Redis; readonly port: number }> {
  const redis = await serverThat(t, (words) => {
    const asked = words.toLowerCase();
    if (asked === 'command') return commands;
    if (asked === 'command info json.get') return `*1\r\n${JSON_GET}`;
    if (asked.startsWith('command info')) return '*1\r\n*-1\r\n';
    if (asked.startsWith('command')) return '*1\r\n+from the server\r\n';
    return '+PONG\r\n';
  });
  const { port } = await proxyFor(t, planTo(redis.port));
  const through = new Redis({ host: '127.0.0.1', port, protocol: 2, enableReadyCheck: false });
  t.after(() => through.disconnect());
  return { redis, through, port };
}

const namesIn = (entries: unknown): readonly unknown[] =>
  (entries as readonly (readonly unknown[] | null)[]).map((entry) => entry?.[0]);

test('COMMAND has what Redis knows, as far as it is carried out', async (t) => {
  const { redis, through } = await start(t, `*4\r\n${SHUTDOWN}${GET}${JSON_GET}${JSON_WIPE}`);
  const names = namesIn(await through.call('COMMAND'));
  assert.deepEqual(names, ['get', 'json.get']);
  assert.equal(await through.call('COMMAND', 'COUNT'), 2);
  assert.deepEqual(await through.call('COMMAND', 'LIST'), names);
  assert.deepEqual(namesIn(await through.call('COMMAND', 'INFO')), names);
  assert.equal(redis.asked.filter((words) => words.toLowerCase() === 'command').length, 1);
});

test('COMMAND INFO tells of what is refused, too, and of nothing that Redis does not know', async (t) => {
  const { through } = await start(t, `*3\r\n${SHUTDOWN}${GET}${JSON_GET}`);
  const entries = await through.call('COMMAND', 'INFO', 'GET', 'json.get', 'shutdown', 'hexpire', 'none');
  assert.deepEqual(namesIn(entries), ['get', 'json.get', 'shutdown', undefined, undefined]);
});

test('COMMAND INFO knows what Redis does not list', async (t) => {
  const { through } = await start(t, `*1\r\n${GET}`);
  assert.deepEqual(namesIn(await through.call('COMMAND', 'INFO', 'JSON.GET')), ['json.get']);
});

for (const [version, nothing] of [
  [2, '$-1\r\n'],
  [3, '_\r\n'],
] as const) {
  test(`COMMAND INFO of what nobody knows is the null of RESP${version}`, async (t) => {
    const { port } = await start(t, `*1\r\n${JSON_GET}`);
    const client = clientOf(t, port);
    client.socket.write(`HELLO ${version}\r\nCOMMAND INFO none\r\n`);
    const expected = `*1\r\n${nothing}`;
    await eventually('the reply', () => client.got().endsWith(expected) || undefined, {
      seen: () => client.got(),
    });
  });
}

test('COMMAND is our own table where Redis does not say', async (t) => {
  const { through } = await start(t, '-NOPERM it is denied\r\n');
  assert.equal(await through.call('COMMAND', 'COUNT'), OURS);
});

for (const said of ['+OK\r\n', '$-1\r\n', '*2\r\n*1\r\n+x\r\n+y\r\n', '*1\r\n*-1\r\n']) {
  test(`a server that says ${JSON.stringify(said)} of its commands has none of its own`, async (t) => {
    const redis = await serverThat(t, () => said);
    const { port } = await proxyFor(t, planTo(redis.port));
    const client = clientOf(t, port);
    client.socket.write('COMMAND COUNT\r\njson.get a\r\nPING\r\n');
    await eventually('the replies', () => client.got().endsWith('+PONG\r\n') || undefined, {
      seen: () => client.got(),
    });
    assert.match(client.got(), new RegExp(`^:${OURS}\r\n-ERR [^\r]+\r\n\\+PONG\r\n$`));
  });
}

for (const words of [
  'DOCS get',
  'HELP',
  'LIST FILTERBY MODULE json',
  'GETKEYS sort a STORE b',
  'GETKEYSANDFLAGS get a',
  'COUNT 1',
  'NONE',
]) {
  test(`COMMAND ${words} is answered by Redis`, async (t) => {
    const { through } = await start(t, '*0\r\n');
    assert.deepEqual(await through.call('COMMAND', ...words.split(' ')), ['from the server']);
  });
}

test('flags of a command are a set in RESP3', async (t) => {
  const { port } = await start(t, '*0\r\n');
  const client = clientOf(t, port);
  client.socket.write('HELLO 3\r\nCOMMAND INFO get\r\n');
  const entry = '*10\r\n$3\r\nget\r\n:2\r\n~1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n~0\r\n~0\r\n~0\r\n*0\r\n';
  await eventually('the entry', () => client.got().endsWith(`*1\r\n${entry}`) || undefined, {
    seen: () => client.got(),
  });
});

test('what follows COMMAND in a pipeline is answered behind it', async (t) => {
  const { through } = await start(t, `*1\r\n${JSON_GET}`);
  const answers = await through.pipeline().ping().call('COMMAND', 'COUNT').echo('behind').exec();
  assert.deepEqual(
    answers?.map(([, value]) => value),
    ['PONG', 1, 'behind'],
  );
});
