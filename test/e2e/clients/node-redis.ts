/** node-redis at its defaults, plain and as a cluster client. */
import { createClient, createCluster } from 'redis';

import type { ClientLibrary, Words } from './steps.ts';

type Hear = ClientLibrary['hear'];

interface Subscribing {
  subscribe(name: string, listener: Listener): Promise<unknown>;
  pSubscribe(name: string, listener: Listener): Promise<unknown>;
  sSubscribe(name: string, listener: Listener): Promise<unknown>;
  unsubscribe(name: string): Promise<unknown>;
  pUnsubscribe(name: string): Promise<unknown>;
  sUnsubscribe(name: string): Promise<unknown>;
}

type Listener = (message: string, channel: string) => void;

const SUBSCRIBE = { channel: 'subscribe', pattern: 'pSubscribe', shard: 'sSubscribe' } as const;
const UNSUBSCRIBE = { channel: 'unsubscribe', pattern: 'pUnsubscribe', shard: 'sUnsubscribe' } as const;

function hearWith(subscriber: Subscribing): Hear {
  return async (kind, name, publish) => {
    let tell: (all: unknown) => void = () => {};
    const heard = new Promise((resolve) => {
      tell = resolve;
    });
    await subscriber[SUBSCRIBE[kind]](name, (...all) => tell(all));
    await publish();
    const message = await heard;
    await subscriber[UNSUBSCRIBE[kind]](name);
    return message;
  };
}

export async function openNodeRedis(port: number, isCluster: boolean): Promise<ClientLibrary> {
  return isCluster ? await openCluster(port) : await openPlain(port);
}

async function openPlain(port: number): Promise<ClientLibrary> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  const [waiting, subscriber] = [client.duplicate(), client.duplicate()];
  for (const each of [client, waiting, subscriber]) {
    each.on('error', () => {});
    await each.connect();
  }
  return {
    call: async (words) => await client.sendCommand([...words]),
    transaction: async (commands) => {
      const multi = client.multi();
      for (const words of commands) multi.addCommand([...words]);
      return await multi.exec();
    },
    pipeline: async (commands) => await Promise.all(commands.map((words) => client.sendCommand([...words]))),
    block: async (words) => await waiting.sendCommand([...words]),
    hear: hearWith(subscriber),
    scan: async (pattern) => {
      const keys: string[] = [];
      for await (const found of client.scanIterator({ MATCH: pattern })) keys.push(...found);
      return keys;
    },
    close: () => {
      for (const each of [client, waiting, subscriber]) each.destroy();
    },
  };
}

async function openCluster(port: number): Promise<ClientLibrary> {
  const client = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] });
  const waiting = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] });
  for (const each of [client, waiting]) {
    each.on('error', () => {});
    await each.connect();
  }
  // Its own commands know where their keys are; for a word list it has to be told.
  const keyOf = ([name, ...args]: Words): string | undefined => (name === 'PING' ? undefined : args[0]);
  const send = async (to: typeof client, words: Words): Promise<unknown> =>
    await to.sendCommand(keyOf(words), false, [...words]);
  return {
    call: async (words) => await send(client, words),
    transaction: async (commands) => {
      const multi = client.multi();
      for (const words of commands) multi.addCommand(keyOf(words), false, [...words]);
      return await multi.exec();
    },
    pipeline: async (commands) => await Promise.all(commands.map((words) => send(client, words))),
    block: async (words) => await send(waiting, words),
    hear: hearWith(client),
    scan: async (pattern) => {
      const keys: string[] = [];
      for (const { client: node } of client.masters) {
        if (node === undefined) throw new Error('a primary without a connection');
        for await (const found of node.scanIterator({ MATCH: pattern })) keys.push(...found);
      }
      return keys;
    },
    close: () => {
      for (const each of [client, waiting]) each.destroy();
    },
  };
}
