/**
 * Commands of one client at plain servers, of which others have its keys before these have answered.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { ProxyServers } from '../../src/plan/routing-plan.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';
import { clientOf, proxyFor, serverThat } from './servers.ts';
import { planToServers } from './several-servers.ts';

const READONLY = "-READONLY You can't write against a read only replica.\r\n";

/** A key of the first of the two, and one of the second. */
const [A, B] = [0, 1].map((server) => {
  const table = maglevTable(['one', 'other'].map((text) => ({ text, weight: 1 })));
  const keys = Array.from({ length: 100 }, (_, number) => `key:${number}`);
  return keys.find((key) => maglevHost(table, Buffer.from(key), false) === server)!;
}) as [string, string];

interface Scene {
  /** One client's. */
  readonly send: (text: string) => void;
  readonly received: (reply: string) => Promise<unknown>;
  /** What came to both, in that order, and was not refused. */
  readonly carriedOut: string[];
  /** So much has come to them, or is held. */
  readonly asked: (count: number) => Promise<unknown>;
  /** It answers the oldest of that. */
  readonly say: (reply: string) => void;
  /** From now on these are the servers. */
  readonly list: (...names: readonly ('one' | 'other')[]) => Promise<void>;
}

/** At first all keys are at one server, which answers when the test says so; the other one does at once. */
async function setUp(t: TestContext): Promise<Scene> {
  const waiting: { readonly words: string; readonly socket: Socket }[] = [];
  const carriedOut: string[] = [];
  const one = await serverThat(t, (words, socket) => {
    if (words === 'PING') return '+PONG\r\n';
    waiting.push({ words, socket });
    return undefined;
  });
  const other = await serverThat(t, (words) => {
    if (words === 'PING') return '+PONG\r\n';
    carriedOut.push(words);
    return '+OK\r\n';
  });
  const servers = { one, other };
  const planOf = (names: readonly ('one' | 'other')[]): ReturnType<typeof planToServers> => {
    const endpoints = names.map((hashKey) => {
      return { address: '127.0.0.1', port: servers[hashKey].port, hashKey };
    });
    return planToServers({ kind: 'endpoints', endpoints } satisfies ProxyServers);
  };
  const { proxy, port } = await proxyFor(t, planOf(['one']), {
    failoverWaitMs: 20_000,
  });
  await eventually('its server', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  return {
    send: (text) => void client.socket.write(text),
    received: async (reply) =>
      await eventually('the replies', () => client.got() === reply || undefined, {
        seen: () => client.got(),
      }),
    carriedOut,
    asked: async (count) =>
      await eventually(
        `${count} commands`,
        () => {
          const held = proxy.status()[0]?.events['held'] ?? 0;
          return waiting.length + carriedOut.length + held === count || undefined;
        },
        {
          everyMs: 5,
          seen: () => JSON.stringify([waiting.length, carriedOut, proxy.status()[0]?.events]),
        },
      ),
    say: (reply) => {
      const { words, socket } = waiting.shift()!;
      if (!reply.startsWith('-')) carriedOut.push(words);
      socket.write(reply);
    },
    list: async (...names) => await proxy.update(planOf(names)),
  };
}

test('what was refused, and whose keys part, is not carried out behind what came later', async (t) => {
  const { send, asked, say, list, received, carriedOut } = await setUp(t);
  send(`MSET ${A} 1 ${B} 1\r\nSET ${A} 2\r\n`);
  await asked(2);
  say(READONLY);
  send(`SET ${B} 3\r\n`);
  await list('one', 'other');
  say('+OK\r\n');
  await received(`${READONLY}+OK\r\n+OK\r\n`);
  assert.deepEqual(carriedOut, [`SET ${A} 2`, `SET ${B} 3`]);
});

test('what is refused once its keys have parted is not carried out behind what came later', async (t) => {
  const { send, asked, say, list, received, carriedOut } = await setUp(t);
  send(`MSET ${A} 1 ${B} 1\r\nSET ${A} 2\r\n`);
  await asked(2);
  await list('one', 'other');
  say(READONLY);
  say('+OK\r\n');
  await received(`${READONLY}+OK\r\n`);
  assert.deepEqual(carriedOut, [`SET ${A} 2`]);
});
