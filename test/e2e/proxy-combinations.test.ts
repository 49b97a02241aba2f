/**
 * What a client is in (a transaction, watching, subscribed, either protocol) and what it asks then, at once and in pieces, over
 * a route whose prefix is removed, with a mirror, and answers that a fault makes late: replies are those of a plain Redis that
 * has none of it, and the mirror ends with the same data.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';

import type { Redis } from 'ioredis';

import { eventually } from '../../src/demo/eventually.ts';
import { mirrored } from '../proxy/mirrored.ts';
import { planTo, withFault, withPrefixRemoved } from '../proxy/servers.ts';
import { needRedis } from './environment.ts';
import { startPlainBesideProxied } from './plain-beside-proxied.ts';
import { clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { randomOf, type Choose } from './random.ts';

const SEQUENCES = 120;
const PREFIX = 'p:';
/** One slot, or what is watched and popped together would be refused at the mirror. */
const TAG = '{t}';

const COMMANDS =
  `MULTI|MULTI|EXEC|EXEC|EXEC x|DISCARD|WATCH K|WATCH K K|WATCH|UNWATCH|SET K 1|SET K 2|SET K|GET K|GET|INCR K
LPUSH K a|DEL K K|MGET K K|MSET K 1 K 2|MSET K 1 K|COPY K K|RENAME K K|SINTERCARD 2 K K|ZUNION 9 K|SORT K STORE K|SORT K BY w* GET #
BLPOP K 0.01|BLPOP K K 0.01|BLPOP K x|BLMPOP 0.01 2 K K LEFT|BRPOPLPUSH K K 0.01|BZPOPMIN K 0.01|XREAD BLOCK 10 STREAMS K $
EVAL redis.call('set',KEYS[1],ARGV[1]) 1 K 7|EVAL x 1|FCALL none 1 K|NOSUCH|NOSUCH a b|SUBSCRIBE a|SUBSCRIBE a b|UNSUBSCRIBE b|SUBSCRIBE
PSUBSCRIBE a*|PUNSUBSCRIBE a*|SSUBSCRIBE ${TAG}s|SUNSUBSCRIBE ${TAG}s|HELLO 4|HELLO 3 AUTH x|RESET|RESET x|AUTH x|PING|PING a|ECHO|SELECT 0
CLIENT SETNAME n|CLIENT GETNAME|CLIENT SETNAME|SCRIPT EXISTS no|FUNCTION KILL|PUBLISH none m|DBSIZE x|KEYS none|FLUSHALL x|WAIT 0 10|WAIT x y`
    .split(/[|\n]/)
    .map((line) => line.split(' '));

/** Said where Redis looks at other mistakes first, or lets a transaction have the command: from there on all may differ. */
const OWN_WORDS = /^-ERR (?:Can't execute|Command '\w+' not allowed inside)/m;

interface Word {
  readonly text: string;
  readonly isKey: boolean;
}

function sequence(choose: Choose): readonly (readonly Word[])[] {
  return Array.from({ length: 1 + choose(14) }, () =>
    (COMMANDS[choose(COMMANDS.length)] ?? []).map((word) =>
      word === 'K' ? { text: `${TAG}${choose(4)}`, isKey: true } : { text: word, isKey: false },
    ),
  );
}

function encode(commands: readonly (readonly Word[])[], prefix: string): string {
  const one = (words: readonly Word[]): string => {
    const texts = words.map(({ text, isKey }) => (isKey ? prefix + text : text));
    return `*${texts.length}\r\n${texts.map((text) => `$${text.length}\r\n${text}\r\n`).join('')}`;
  };
  return commands.map(one).join('');
}

const BEGIN = '$9\r\n<<begin>>\r\n';
const END = '+RESET\r\n$8\r\n<<done>>\r\n';

/** What is said to it on a connection of its own; `text` goes in these pieces. */
async function ask(port: number, protocol: 2 | 3, text: string, pieces: readonly number[]): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let seen = '';
  socket.on('data', (chunk: Buffer) => (seen += chunk.toString('latin1')));
  const bytes = Buffer.from(
    `HELLO ${protocol}\r\nECHO <<begin>>\r\n${text}RESET\r\nECHO <<done>>\r\n`,
    'latin1',
  );
  let from = 0;
  for (const length of [...pieces, bytes.length]) {
    socket.write(bytes.subarray(from, from + length));
    from += length;
    await new Promise(setImmediate);
  }
  try {
    await eventually('the last reply', () => seen.endsWith(END) || undefined, {
      seen: () => `${JSON.stringify(seen)} to ${JSON.stringify(text)}`,
      everyMs: 2,
    });
  } finally {
    socket.destroy();
  }
  return seen.slice(seen.indexOf(BEGIN) + BEGIN.length);
}

async function dataOf(clients: readonly Redis[]): Promise<readonly string[]> {
  const found = clients.map(async (client) => {
    const keys = await client.keys('*');
    return await Promise.all(
      keys.map(async (key) => `${key} ${(await client.dumpBuffer(key)).toString('hex')}`),
    );
  });
  return (await Promise.all(found)).flat().sort();
}

test('what a client is in, a removed prefix, a mirror and late answers change no reply', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const { plain, behind, cluster } = await startPlainBesideProxied(t, redis);
  const copies = cluster.nodes.map(({ client }) => client);
  const plan = withPrefixRemoved(mirrored(planTo(behind.port), clusterPlan(cluster, 'MASTER')), PREFIX);
  const late = withFault(plan, { type: 'DELAY', delayMs: 2, percentage: 30, commands: [] });
  const [port = 0] = portsOf(await startProxy(t, late));
  for (let seed = 1; seed <= SEQUENCES; seed++) {
    const choose = randomOf(seed * 7_919);
    const protocol = choose(2) === 0 ? 2 : 3;
    const commands = sequence(choose);
    const pieces = Array.from({ length: choose(4) }, () => choose(60));
    await Promise.all([plain.client, behind.client, ...copies].map((client) => client.flushall()));
    const [expected, actual]: readonly [string, string] = await Promise.all([
      ask(plain.port, protocol, encode(commands, ''), []),
      ask(port, protocol, encode(commands, PREFIX), pieces),
    ]);
    const own = actual.search(OWN_WORDS);
    const compared = own < 0 ? Infinity : own;
    const asked = `seed ${seed}, RESP${protocol}: ${commands.map((words) => words.map(({ text }) => text).join(' ')).join(' | ')}`;
    assert.equal(actual.slice(0, compared), expected.slice(0, compared), asked);
    const wanted = await dataOf([behind.client]);
    await eventually(`the mirror having the same, ${asked}`, async () => {
      assert.deepEqual(await dataOf(copies), wanted);
      return true;
    });
  }
});
