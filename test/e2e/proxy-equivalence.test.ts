/**
 * The same generated commands to a plain Redis and through the proxy: every byte of the replies must be the same, whatever
 * the pieces in which the commands arrive.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import type { RedisNode } from '../../src/demo/redis-node.ts';
import { needRedis } from './environment.ts';
import { startPlainBesideProxied } from './plain-beside-proxied.ts';
import { clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { randomOf, type Choose } from './random.ts';
import { planTo } from '../proxy/servers.ts';

const SEQUENCES = 5_000;
const BATCH = 50;

const VALUES = ['', 'x', '10', '-3', 'abc\r\ndef', '\0\xff', 'long '.repeat(200)];
const FIELDS = ['f', 'g', 'h'];

function key(choose: Choose): string {
  return `k${choose(12)}`;
}

/** Commands with one key, or that the proxy splits. */
const MAKERS: readonly ((choose: Choose) => readonly string[])[] = [
  (c) => ['GET', key(c)],
  (c) => ['set', key(c), VALUES[c(VALUES.length)] ?? ''],
  (c) => ['SET', key(c), 'v', 'NX'],
  (c) => ['INCR', key(c)],
  (c) => ['APPEND', key(c), 'y'],
  (c) => ['GETRANGE', key(c), '0', '5'],
  (c) => ['STRLEN', key(c)],
  (c) => ['TYPE', key(c)],
  (c) => ['LPUSH', key(c), 'a', 'b'],
  (c) => ['LRANGE', key(c), '0', '-1'],
  (c) => ['RPOP', key(c), '2'],
  (c) => ['HSET', key(c), FIELDS[c(3)] ?? '', VALUES[c(VALUES.length)] ?? ''],
  (c) => ['HGETALL', key(c)],
  (c) => ['HMGET', key(c), 'f', 'none'],
  (c) => ['HINCRBYFLOAT', key(c), 'n', '1.5'],
  (c) => ['SADD', key(c), 'm'],
  (c) => ['SMEMBERS', key(c)],
  (c) => ['SISMEMBER', key(c), 'm'],
  (c) => ['ZADD', key(c), '1.5', 'm', '2', 'n'],
  (c) => ['ZSCORE', key(c), 'm'],
  (c) => ['ZRANGE', key(c), '0', '-1', 'WITHSCORES'],
  (c) => ['OBJECT', 'ENCODING', key(c)],
  (c) => ['EVAL', 'return {KEYS[1], ARGV[1]}', '1', key(c), 'arg'],
  (c) => ['MGET', key(c), key(c), key(c), 'none'],
  (c) => ['MSET', key(c), '1', key(c), '2'],
  (c) => ['DEL', key(c), key(c)],
  (c) => ['EXISTS', key(c), key(c)],
  (c) => ['UNLINK', key(c)],
  (c) => ['TOUCH', key(c), key(c), key(c)],
  () => ['PING'],
  () => ['PING', 'hello'],
  () => ['ECHO', 'x\r\ny'],
  () => ['GET'],
  () => ['NOSUCH', 'a', 'b c'],
  (c) => ['SET', key(c)],
  (c) => ['MSET', key(c), '1', key(c)],
  () => ['EXEC'],
  () => ['DISCARD'],
];

/** One command, or a transaction on one key. */
function sequence(choose: Choose): readonly (readonly string[])[] {
  if (choose(12) > 0) return [MAKERS[choose(MAKERS.length)]?.(choose) ?? []];
  const own = key(choose);
  const inside = [
    ['SET', own, 'in'],
    ['GET', own],
    ['INCR', own],
    ['PING'],
    ['GET'],
    ['MULTI'],
    ['LPUSH', own, 'x'],
  ];
  const commands = Array.from({ length: choose(4) }, () => inside[choose(inside.length)] ?? []);
  return [['MULTI'], ...commands, [choose(3) > 0 ? 'EXEC' : 'DISCARD']];
}

function encode(words: readonly string[], choose: Choose): string {
  const isInline = choose(20) === 0 && words.every((word) => /^[\w-]+$/.test(word));
  if (isInline) return `${words.join(' ')}\r\n`;
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

const LAST = '*2\r\n$4\r\nECHO\r\n$8\r\n<<done>>\r\n';
const END = '$8\r\n<<done>>\r\n';
const LIMIT_MS = 20_000;

class Talk {
  readonly #socket: Socket;
  #seen = '';
  #heard: () => void = () => {};

  constructor(t: TestContext, port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#seen += chunk.toString('latin1');
      if (this.#seen.endsWith(END)) this.#heard();
    });
    t.after(() => this.#socket.destroy());
  }

  /** Everything that came up to the answer to a last word of our own. */
  async ask(text: string, pieces: readonly number[]): Promise<string> {
    const bytes = Buffer.from(`${text}${LAST}`, 'latin1');
    const heard = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no last reply, but ${JSON.stringify(this.#seen.slice(-200))}`)),
        LIMIT_MS,
      );
      this.#heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    let from = 0;
    for (const length of pieces) {
      this.#socket.write(bytes.subarray(from, from + length));
      from += length;
      await new Promise(setImmediate);
    }
    this.#socket.write(bytes.subarray(from));
    await heard;
    const seen = this.#seen;
    this.#seen = '';
    return seen;
  }
}

/** So long, about, is the input that is cut. */
const CUT_BYTES = 400;

/** Leaves and finds the same, however often it is sent. */
function repeatable(choose: Choose): string {
  let text = encode(['DEL', ...Array.from({ length: 12 }, (_, index) => `k${index}`)], choose);
  for (;;) {
    const next = sequence(choose)
      .map((words) => encode(words, choose))
      .join('');
    if (next.length > CUT_BYTES / 2) continue;
    if (text.length + next.length > CUT_BYTES) return text;
    text += next;
  }
}

async function cutEverywhere(t: TestContext, port: number, protocol: 2 | 3): Promise<void> {
  const choose = randomOf(100 + protocol);
  const through = new Talk(t, port);
  if (protocol === 3) await through.ask('HELLO 3\r\n', []);
  const text = repeatable(choose);
  await through.ask(text, []);
  const expected = await through.ask(text, []);
  for (let cut = 1; cut < text.length; cut++) {
    assert.equal(await through.ask(text, [cut]), expected, `cut at ${cut}: ${JSON.stringify(text)}`);
  }
  const everyByte = Array.from({ length: text.length }, () => 1);
  assert.equal(await through.ask(text, everyByte), expected, `in single bytes: ${JSON.stringify(text)}`);
}

async function compare(t: TestContext, plain: RedisNode, port: number, protocol: 2 | 3): Promise<void> {
  const choose = randomOf(protocol);
  await plain.client.flushall();
  const [direct, through] = [new Talk(t, plain.port), new Talk(t, port)];
  if (protocol === 3) {
    await direct.ask('HELLO 3\r\n', []);
    await through.ask('HELLO 3\r\n', []);
  }
  for (let batch = 0; batch < SEQUENCES / BATCH; batch++) {
    const commands = Array.from({ length: BATCH }, () => sequence(choose)).flat();
    const text = commands.map((words) => encode(words, choose)).join('');
    const pieces = Array.from({ length: choose(6) }, () => choose(Math.floor(text.length / 4)));
    const [expected, actual] = [await direct.ask(text, []), await through.ask(text, pieces)];
    if (expected !== actual) {
      let at = 0;
      while (expected[at] === actual[at]) at += 1;
      const context = (seen: string): string => seen.slice(Math.max(0, at - 60), at + 60);
      assert.equal(context(actual), context(expected), `batch ${batch}: ${JSON.stringify(text)}`);
    }
  }
}

test("replies are Redis' own, byte for byte", async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const { plain, behind, cluster } = await startPlainBesideProxied(t, redis);
  const single = planTo(behind.port);
  const plans = [
    ['a plain server', single, () => behind.client.flushall()],
    [
      'a cluster',
      clusterPlan(cluster, 'MASTER'),
      () => Promise.all(cluster.nodes.map(({ client }) => client.flushall())),
    ],
  ] as const;
  for (const [what, plan, empty] of plans) {
    const [port = 0] = portsOf(await startProxy(t, plan));
    for (const protocol of [2, 3] as const) {
      await t.test(
        `${SEQUENCES} generated commands and transactions, ${what}, RESP${protocol}`,
        async (t) => {
          await empty();
          await compare(t, plain, port, protocol);
        },
      );
      if (plan === single) continue;
      await t.test(`the same replies wherever the input is cut, RESP${protocol}`, async (t) => {
        await cutEverywhere(t, port, protocol);
      });
    }
  }
});
