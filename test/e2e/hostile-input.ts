/**
 * Clients that mean no good, or no longer know what they do: generated from a seed, many at once, each for a moment.
 *
 * What they get through to Redis concerns keys that begin with `fuzz:`, and costs it little.
 */
import { connect, type Socket } from 'node:net';

import { allCommands } from '../../src/redis/command-table.ts';
import { keyArguments } from '../../src/redis/keys.ts';
import { encode } from './contract/wire.ts';
import { randomOf, type Choose } from './random.ts';

export interface HostileClients {
  /** Connections so far. */
  readonly opened: number;
  stop(): void;
}

/** They would take time or memory of Redis itself, or data of others. */
const SPARED = new Set(
  (
    'flushall flushdb config script function eval eval_ro evalsha evalsha_ro fcall fcall_ro setrange setbit bitfield ' +
    'restore keys sort sort_ro lolwut swapdb randomkey'
  ).split(' '),
);

const COMMANDS = allCommands().filter(({ name }) => !SPARED.has(name));

function textOf(choose: Choose, longest: number): string {
  return Array.from({ length: choose(longest) }, () => String.fromCharCode(choose(256))).join('');
}

function keyOf(choose: Choose): string {
  return `fuzz:${choose(50)}`;
}

/** A command of the table with arguments that may make no sense. */
function command(choose: Choose): string {
  const { name, arity, keys } = COMMANDS[choose(COMMANDS.length)]!;
  const words = [name];
  const count = Math.max(1, Math.abs(arity) + choose(4) - 1);
  while (words.length < count) words.push(['1', '0', '-1', 'a', '1.5', textOf(choose, 8)][choose(6)]!);
  for (const index of keyArguments(keys, words.length, (at) => words[at] ?? '')) words[index] = keyOf(choose);
  return encode(words);
}

function mutated(choose: Choose): string {
  let text = command(choose) + command(choose) + command(choose);
  for (let changes = 1 + choose(4); changes > 0; changes--) {
    const at = choose(text.length);
    const piece = [String.fromCharCode(choose(256)), '', '\r\n', '*', '$', '-1', '99999999999'][choose(7)]!;
    text = text.slice(0, at) + piece + text.slice(at + choose(3));
  }
  // Whatever came of it, it is not of others' data.
  return /flush|config|shutdown|friend/i.test(text) ? '' : text;
}

/** What each of them sends; the connection stays open behind it for a moment. */
const KINDS: Readonly<Record<string, (choose: Choose) => string>> = {
  nothing: () => '',
  garbage: (choose) => textOf(choose, 2_000),
  mutated,
  commands: (choose) => Array.from({ length: 1 + choose(20) }, () => command(choose)).join(''),
  half: (choose) => {
    const whole = command(choose);
    return whole.slice(0, choose(whole.length));
  },
  'a huge number of arguments': (choose) => `*${2 ** choose(60)}\r\n`,
  'a huge argument': (choose) => `*2\r\n$3\r\nGET\r\n$${2 ** choose(60)}\r\n${textOf(choose, 5_000)}`,
  'a large argument': (choose) =>
    `*3\r\n$3\r\nSET\r\n$6\r\nfuzz:x\r\n$500000000\r\n${'x'.repeat(choose(1_000_000))}`,
  'many arguments': (choose) =>
    encode(['DEL', ...Array.from({ length: choose(20_000) }, () => keyOf(choose))]),
  nesting: (choose) => '*1\r\n'.repeat(choose(50_000)),
  'an endless line': (choose) => 'x'.repeat(choose(200_000)),
  'a transaction left open': (choose) => encode(['MULTI']) + encode(['SET', keyOf(choose), 'x']),
  'a watch': (choose) => encode(['WATCH', keyOf(choose)]),
  waiting: (choose) => encode(['BLPOP', `fuzz:list:${choose(5)}`, '0']),
  subscribed: (choose) => encode(['PSUBSCRIBE', '*']) + encode(['SSUBSCRIBE', keyOf(choose)]),
  published: (choose) => encode(['PUBLISH', 'fuzz', textOf(choose, 1_000)]),
  'other protocols': (choose) => encode(['HELLO', String(choose(6))]) + encode(['RESET']),
  'no reading': () => encode(['GET', 'fuzz:large']).repeat(200),
};

const NAMES = Object.keys(KINDS);

/** `clients` at a time, until stopped. */
export function startHostileClients(port: number, seed: number, clients: number): HostileClients {
  const choose = randomOf(seed);
  const sockets = new Set<Socket>();
  let opened = 0;
  let isStopped = false;
  const open = (): void => {
    if (isStopped) return;
    opened += 1;
    const kind = NAMES[choose(NAMES.length)]!;
    const socket = connect({ host: '127.0.0.1', port });
    const timer = setTimeout(() => socket.destroy(), choose(1_000));
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      sockets.delete(socket);
      // One after the other, whatever it costs the other side.
      setTimeout(open, choose(20));
    });
    if (kind !== 'no reading') socket.on('data', () => {});
    socket.write(Buffer.from(KINDS[kind]!(choose), 'latin1'));
    if (choose(4) === 0) socket.end();
  };
  // A value that it costs something to be sent.
  const first = connect({ host: '127.0.0.1', port });
  first.on('error', () => {});
  first.end(encode(['SET', 'fuzz:large', 'x'.repeat(100_000)]));
  for (let count = 0; count < clients; count++) open();
  return {
    get opened() {
      return opened;
    },
    stop: () => {
      isStopped = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}
