/** Where the proxy differs from Envoy in what it copies for mirrors. */
import { eventually } from '../../src/demo/eventually.ts';
import type { Case, Side } from './beside-envoy.ts';

export const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

async function mirrored(side: Side, name: string): Promise<number> {
  return (await side.calls(name))[2] ?? 0;
}

export const OF_MIRRORS: readonly Case[] = [
  {
    row: 'commands without a key on a route with a mirror',
    envoy: /^all: 1 1 1 1 1 1 1, writes: 0 0 1 0 0 0 0$/,
    proxy: /^all: 1 1 1 1 1 0 0, writes: 1 1 1 1 0 0 0$/,
    run: async (side) => {
      const commands = [
        'PUBLISH a x',
        'FLUSHALL',
        'EVAL return(1) 0 x',
        'SCRIPT LOAD return(1)',
        'KEYS *',
        'SCAN 0',
        'CONFIG GET maxmemory',
      ];
      const names = ['publish', 'flushall', 'eval', 'script\\|load', 'keys', 'scan', 'config\\|get'];
      const copies = async (listener: string): Promise<string> => {
        await side.empty();
        await side.ask(listener, ...commands, 'SET last 1');
        await eventually('the last copy', async () => (await mirrored(side, 'set')) === 1 || undefined);
        return (await Promise.all(names.map((name) => mirrored(side, name)))).join(' ');
      };
      return `all: ${await copies('mirrored')}, writes: ${await copies('writes-copied')}`;
    },
  },
  {
    row: 'GETSET, GETEX, the writes of streams, on a route with a mirror of writes',
    envoy: /^0 0 0$/,
    proxy: /^1 1 1$/,
    run: async (side) => {
      await side.ask('writes-copied', 'GETSET k x', 'GETEX k PERSIST', 'XADD s * f v', 'SET last 1');
      await eventually('the last copy', async () => (await mirrored(side, 'set')) === 1 || undefined);
      const names = ['getset', 'getex', 'xadd'];
      return (await Promise.all(names.map((name) => mirrored(side, name)))).join(' ');
    },
  },
  {
    row: 'the percentage of a mirror, of a command that is split',
    envoy: /^some in part$/,
    proxy: /^each all or none$/,
    run: async (side) => {
      const rounds = Array.from({ length: 20 }, (_, round) => KEYS.map((key) => `${round}:${key}`));
      await side.ask(
        'half-copied',
        ...rounds.map((keys) => `MSET ${keys.map((key) => `${key} x`).join(' ')}`),
      );
      const { client } = side.servers.mirror;
      await eventually('a copy behind all', async () => {
        await side.ask('half-copied', 'SET last 1');
        return (await client.exists('last')) === 1 || undefined;
      });
      const copied = await Promise.all(rounds.map(async (keys) => await client.exists(...keys)));
      if (copied.some((count) => count > 0 && count < KEYS.length)) return 'some in part';
      return new Set(copied).size === 2 ? 'each all or none' : copied.join(' ');
    },
  },
  {
    row: 'mirrors',
    envoy: /^multi 2, discard 1, watch 1, get 1, set 3$/,
    proxy: /^multi 0, discard 0, watch 0, get 1, set 3$/,
    run: async (side) => {
      await side.ask('mirrored', 'WATCH w', 'GET w', 'SET w 1', 'UNWATCH');
      await side.ask('mirrored', 'MULTI', 'SET k no', 'DISCARD', 'MULTI', 'SET k yes', 'EXEC', 'SET last 1');
      await eventually('the copies', async () => {
        const values = await side.servers.mirror.client.mget('k', 'last');
        const isWhole =
          (await mirrored(side, 'multi')) === 0 ||
          ((await mirrored(side, 'discard')) === 1 && (await mirrored(side, 'watch')) === 1);
        return values.join(' ') === 'yes 1' && isWhole ? true : undefined;
      });
      const names = ['multi', 'discard', 'watch', 'get', 'set'];
      return (await Promise.all(names.map(async (name) => `${name} ${await mirrored(side, name)}`))).join(
        ', ',
      );
    },
  },
];
