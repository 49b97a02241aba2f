/** ioredis at its defaults, plain and as a cluster client. */
import { Cluster, Redis } from 'ioredis';

import type { ClientLibrary, Words } from './steps.ts';

export function openIoredis(port: number, isCluster: boolean): ClientLibrary {
  const place = { host: '127.0.0.1', port };
  const open = (): Redis | Cluster => (isCluster ? new Cluster([place]) : new Redis(place));
  const client = open();
  const waiting = open();
  // Without it shard channels work before no cluster.
  const subscriber = isCluster ? new Cluster([place], { shardedSubscribers: true }) : open();
  for (const each of [client, waiting, subscriber]) each.on('error', () => {});
  const batch = async (commands: readonly Words[], isTransaction: boolean): Promise<unknown> => {
    const pipeline = isTransaction ? client.multi() : client.pipeline();
    for (const words of commands) pipeline.call(...words);
    const replies = await pipeline.exec();
    return replies?.map(([error, value]) => error ?? value);
  };
  return {
    call: async (words) => await client.call(...words),
    transaction: async (commands) => await batch(commands, true),
    pipeline: async (commands) => await batch(commands, false),
    block: async (words) => await waiting.call(...words),
    hear: async (kind, name, publish) => {
      const heard = new Promise((resolve) => {
        subscriber.once('message', (...all) => resolve(all));
        subscriber.once('pmessage', (...all) => resolve(all));
        subscriber.once('smessage', (channel, message) => resolve([channel, message]));
      });
      const subscribe = { channel: 'subscribe', pattern: 'psubscribe', shard: 'ssubscribe' } as const;
      const unsubscribe = { channel: 'unsubscribe', pattern: 'punsubscribe', shard: 'sunsubscribe' } as const;
      await subscriber[subscribe[kind]](name);
      await publish();
      const message = await heard;
      await subscriber[unsubscribe[kind]](name);
      return message;
    },
    scan: async (pattern) => {
      const nodes = client instanceof Cluster ? client.nodes('master') : [client];
      const keys: string[] = [];
      for (const node of nodes) {
        for await (const found of node.scanStream({ match: pattern })) keys.push(...(found as string[]));
      }
      return keys;
    },
    close: () => {
      for (const each of [client, waiting, subscriber]) each.disconnect();
    },
  };
}
