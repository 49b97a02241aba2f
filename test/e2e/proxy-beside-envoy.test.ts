/**
 * Where the proxy differs from Envoy: the same commands to both. Each case is a row of the table in
 * docs/differences-from-envoy.md.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { eventually } from '../../src/demo/eventually.ts';
import { keepaliveTimers, startBoth, type Case, type ListenerObjects } from './beside-envoy.ts';
import { KEYS, OF_MIRRORS } from './beside-envoy-mirrors.ts';
import { needBinaries } from './environment.ts';
import { startRecordingNode } from './recording-node.ts';

const to = (name: string, host: string): ListenerObjects => ({ name, rules: [{ route: { host } }] });
const prefixed = (prefix: string, host: string): object => ({ match: { key: { prefix } }, route: { host } });

const LISTENERS: readonly ListenerObjects[] = [
  to('sharded', 'cluster'),
  to('spread', 'plain'),
  {
    name: 'routed',
    rules: [
      prefixed('1:', 'one'),
      prefixed('2:', 'other'),
      prefixed('m:', 'mirror'),
      { match: { key: { prefix: 'c:', removePrefix: true } }, route: { host: 'cluster' } },
    ],
  },
  { name: 'mirrored', rules: [{ route: { host: 'one' }, mirror: [{ route: { host: 'mirror' } }] }] },
  {
    name: 'writes-copied',
    rules: [{ route: { host: 'one' }, mirror: [{ route: { host: 'mirror' }, excludeReadCommands: true }] }],
  },
  {
    name: 'half-copied',
    rules: [{ route: { host: 'one' }, mirror: [{ route: { host: 'mirror' }, percentage: { value: 50 } }] }],
  },
  { ...to('secured', 'one'), settings: { auth: { plain: { username: 'user', password: 'secret' } } } },
  { ...to('faulty', 'one'), faults: [{ type: 'ERROR', percentage: { value: 0.9 }, commands: ['GET'] }] },
  to('limited', 'one'),
];

const CASES: readonly Case[] = [
  {
    row: 'EVAL and EVALSHA without keys',
    envoy: /^-wrong number of arguments for 'EVAL' command :1$/,
    proxy: /^:1 -no upstream host$/,
    run: async (side) =>
      `${await side.ask('sharded', 'EVAL return(1) 0')} ${await side.ask('routed', 'EVAL return(1) 0 1:arg')}`,
  },
  {
    row: "keys of several slots or servers in one command that can't be split",
    envoy: /^\*[1-7] /,
    proxy: /^-CROSSSLOT/,
    run: async (side) => {
      await side.ask('spread', ...KEYS.map((key) => `SADD ${key} ${key}`));
      return await side.ask('spread', `SUNION ${KEYS.join(' ')}`);
    },
  },
  {
    row: "keys of several routes in one command that can't be split",
    envoy: /^:1 :1 \*1 \$1 x$/,
    proxy: /^:1 :1 -CROSSSLOT/,
    run: (side) => side.ask('routed', 'SADD 1:a x', 'SADD 2:a y', 'SUNION 1:a 2:a'),
  },
  {
    row: 'commands of modules, and renamed ones',
    envoy: /^\+OK -ERR unknown command 'MEASURE'/,
    proxy: /^\+OK :3$/,
    run: (side) => side.ask('spread', 'SET k abc', 'MEASURE k'),
  },
  {
    row: 'an unknown command in a transaction',
    envoy: /^\+OK \+QUEUED -ERR unknown command .* \*1 \+OK$/,
    proxy: /^\+OK \+QUEUED -ERR unknown command .* -EXECABORT/,
    run: (side) => side.ask('sharded', 'MULTI', 'SET k v', 'NOSUCH k', 'EXEC'),
  },
  {
    row: 'WATCH',
    envoy: /^\+OK \+OK \+QUEUED \*1 \+OK$/,
    proxy: /^\+OK \+OK \+QUEUED \*-1$/,
    run: async (side) => {
      const client = await side.connect('sharded');
      const watched = await client.ask('WATCH k');
      await side.ask('sharded', 'SET k changed');
      const replies = `${watched} ${await client.ask('MULTI', 'SET k mine', 'EXEC')}`;
      client.close();
      return replies;
    },
  },
  {
    row: 'a null array (`*-1`), RESP2',
    envoy: /^\$-1$/,
    proxy: /^\*-1$/,
    run: (side) => side.ask('sharded', 'LPOP none 2'),
  },
  {
    row: 'PUBLISH',
    envoy: /^\[[1-7],[1-7],0\]$/,
    proxy: /^\[(?:8,0|0,8),0\]$/,
    run: async (side) => {
      await side.ask('spread', ...KEYS.map((channel) => `PUBLISH ${channel} x`));
      return JSON.stringify(await side.calls('publish'));
    },
  },
  ...OF_MIRRORS,
  {
    row: 'two transactions in one pipeline',
    envoy: /^\+OK \+QUEUED \*1 \+OK -MULTI calls can not be nested \+OK -ERR EXEC without MULTI$/,
    proxy: /^\+OK \+QUEUED \*1 \+OK \+OK \+QUEUED \*1 \+OK$/,
    run: async (side) => {
      const client = await side.connect('sharded');
      const replies = await client.ask('MULTI', 'SET k 1', 'EXEC', 'MULTI', 'SET k 2', 'EXEC');
      client.close();
      return replies;
    },
  },
  {
    row: 'commands around a transaction, in one pipeline',
    envoy: /^overtaken: /,
    proxy: /^in order$/,
    run: async (side) => {
      // It is one in five or ten.
      const rounds = side.name === 'Envoy' ? 5_000 : 200;
      for (let round = 0; round < rounds; round++) {
        const client = await side.connect('spread');
        const replies = await client.ask('SET k 1', 'INCR k', 'MULTI', 'INCR k', 'EXEC', 'INCR k');
        client.close();
        if (replies !== '+OK :2 +OK +QUEUED *1 :3 :4') return `overtaken: ${replies}`;
      }
      return 'in order';
    },
  },
  {
    row: 'SCAN, KEYS, FLUSHALL over several shards or servers',
    envoy: /^[1-7] keys, \*6 \$1 0 .*, [1-7] left$/,
    proxy: /^8 keys, \*2 \$\d+ [1-9]\d* .*, 0 left$/,
    run: async (side) => {
      const fill = `MSET ${KEYS.map((key) => `${key} x`).join(' ')}`;
      await side.ask('sharded', fill);
      const scanned = await side.ask('sharded', 'SCAN 0');
      await side.ask('spread', fill);
      const keys = await side.ask('spread', 'KEYS *');
      await side.ask('spread', 'FLUSHALL');
      const left = await Promise.all(side.servers.plain.map(({ client }) => client.dbsize()));
      const names = new Set(keys.match(/\b[a-h]\b/g));
      return `${names.size} keys, ${scanned}, ${left.reduce((sum, size) => sum + size, 0)} left`;
    },
  },
  {
    row: 'MGET of a key of another type',
    envoy: /^:1 \*1 -WRONGTYPE/,
    proxy: /^:1 \*1 \$-1$/,
    run: (side) => side.ask('sharded', 'SADD k x', 'MGET k'),
  },
  {
    row: 'a key without a route in MGET, MSET, DEL',
    envoy: /^-finished with 1 error\(s\) \*2 \$1 v -no upstream host -finished with 1 error\(s\) \$-1$/,
    proxy: /^-no upstream host -no upstream host -no upstream host \$-1$/,
    run: (side) => side.ask('routed', 'MSET 1:k v k v', 'MGET 1:k k', 'DEL 1:k k', 'GET 1:k'),
  },
  {
    row: 'removal of a prefix',
    envoy: /^\+OK \+OK \$-1 \$1 v$/,
    proxy: /^\+OK \+OK \$1 v \$-1$/,
    run: (side) => side.ask('routed', 'SET c:{t}a v', 'RENAME c:{t}a c:{t}b', 'GET c:{t}b', 'GET c:c:{t}b'),
  },
  {
    row: 'HELLO',
    envoy: /^-NOPROTO/,
    proxy: /^%7 .* \$5 proto :3 /,
    run: (side) => side.ask('sharded', 'HELLO 3'),
  },
  {
    row: 'AUTH with a password alone where a user name is configured',
    envoy: /^\+OK \+OK$/,
    proxy: /^-WRONGPASS.* \+OK$/,
    run: (side) => side.ask('secured', 'AUTH secret', 'AUTH user secret'),
  },
  {
    row: 'CLIENT ID, GETNAME, INFO, LIST; RESET; COMMAND',
    envoy: /^(?:-ERR CLIENT subcommand [^-]*){4}-ERR unknown command 'RESET'.*-ERR unknown command 'COMMAND'/,
    proxy: /^:\d+ \$-1 \$\d+ id=.* \$\d+ id=.* \+RESET :\d+$/,
    run: (side) =>
      side.ask(
        'sharded',
        'CLIENT ID',
        'CLIENT GETNAME',
        'CLIENT INFO',
        'CLIENT LIST',
        'RESET',
        'COMMAND COUNT',
      ),
  },
  {
    row: 'CLUSTER',
    envoy: /^3 nodes, known: 3$/,
    proxy: /^1 nodes, known: 0$/,
    run: async (side) => {
      const slots = await side.ask('sharded', 'CLUSTER SLOTS');
      const known = side.servers.cluster.nodes.filter(({ port }) => slots.includes(`:${port} `));
      return `${/^\*(\d+)/.exec(slots)?.[1]} nodes, known: ${known.length}`;
    },
  },
  {
    row: 'faults below 1 %',
    envoy: /^0 faults$/,
    proxy: /^[1-9]\d* faults$/,
    run: async (side) => {
      const client = await side.connect('faulty');
      const replies = await client.ask(...Array.from({ length: 2_000 }, () => 'GET k'));
      client.close();
      return `${replies.split('-Fault Injected').length - 1} faults`;
    },
  },
  {
    row: '`tcp.maxConnections`',
    envoy: /^\+QUEUED while the other is open, \*1 \+OK$/,
    proxy: /^waits while the other is open, \*1 \+OK$/,
    run: async (side) => {
      // Two connections: one that all share, and one more.
      await side.ask('limited', 'GET k');
      const [first, second] = [await side.connect('limited'), await side.connect('limited')];
      await first.ask('MULTI', 'SET k first');
      await second.ask('MULTI');
      const queued = second.ask('SET k second');
      const patience = side.name === 'Envoy' ? 20_000 : 200;
      const meanwhile = await Promise.race([queued, sleep(patience, 'waits', { ref: false })]);
      await first.ask('EXEC');
      await queued;
      const replies = `${meanwhile} while the other is open, ${await second.ask('EXEC')}`;
      for (const client of [first, second]) client.close();
      return replies;
    },
  },
];

/** What each row of the table says it is shown by. */
function rowsOfThePage(): ReadonlyMap<string, string> {
  const page = readFileSync(new URL('../../docs/differences-from-envoy.md', import.meta.url), 'utf8');
  const [, section = ''] = page.split('## Where our proxy differs from Envoy');
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| what |'));
  return new Map(
    rows.map((line) => {
      const cells = line.split('|').map((cell) => cell.trim());
      return [cells[1] ?? '', cells[4] ?? ''];
    }),
  );
}

test('where the proxy differs from Envoy', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  let isLooping = true;
  const ports: number[] = [];
  const loop = await Promise.all(
    [1, 0].map((other) =>
      startRecordingNode(t, ({ name }) =>
        name === 'get' && isLooping ? `-MOVED 12539 127.0.0.1:${ports[other]}\r\n` : undefined,
      ),
    ),
  );
  ports.push(...loop.map(({ port }) => port));
  const looping: Case = {
    row: 'a redirection without end',
    envoy: /^asked more than 50 times$/,
    proxy: /^-upstream failure: redirected more than 5 times, asked 6 times$/,
    run: async (side) => {
      isLooping = true;
      for (const node of loop) node.forget();
      const asked = (): number =>
        loop.flatMap((node) => node.received).filter(({ name }) => name === 'get').length;
      let reply: string | undefined;
      const answered = (async () => {
        reply = await side.ask('looping', 'GET key');
      })();
      const seen = await eventually('an end, or none', () => {
        if (reply !== undefined) return `${reply}, asked ${asked()} times`;
        return asked() > 50 ? 'asked more than 50 times' : undefined;
      });
      isLooping = false;
      await answered;
      return seen;
    },
  };
  const keepalive: Case = {
    row: '`tcpKeepalive`',
    envoy: /^none$/,
    proxy: /^within 30 s$/,
    run: async (side) => {
      isLooping = false;
      await side.ask('looping', 'GET key');
      const timers = keepaliveTimers(ports[0] ?? 0, side);
      assert.ok(timers.length > 0);
      if (timers.every((seconds) => seconds === undefined)) return 'none';
      return timers.every((seconds = Infinity) => seconds <= 30) ? 'within 30 s' : timers.join(', ');
    },
  };
  const cases = [...CASES, looping, keepalive];
  const sides = await startBoth(t, binaries, [
    ...LISTENERS,
    { name: 'looping', mode: 'CLUSTER', endpoints: ports.slice(0, 1) },
  ]);
  for (const { row, run, ...expected } of cases) {
    await t.test(row, async () => {
      await sides.envoy.empty();
      assert.match(await run(sides.envoy), expected.envoy, 'Envoy');
      await sides.proxy.empty();
      assert.match(await run(sides.proxy), expected.proxy, 'the proxy');
    });
  }
  await t.test('every row of the page names a test, and these rows this one', () => {
    const rows = [...rowsOfThePage()];
    assert.deepEqual(
      rows.filter(([, shownBy]) => shownBy === ''),
      [],
    );
    const here = rows.filter(([, shownBy]) => shownBy.includes('`beside-envoy`')).map(([row]) => row);
    assert.deepEqual(here.toSorted(), cases.map(({ row }) => row).toSorted());
  });
});
