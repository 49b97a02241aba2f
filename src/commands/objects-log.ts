/**
 * Logs which RedisServices and RedisDestinations came, changed or went; of very many at a time the first, and how many more.
 */
import type { Logger } from 'pino';

import { objectKey, type ObjectChanges, type World } from '../world/world.ts';

/** Pods come and go all the time: what only follows them is no news. */
const TOLD_KINDS = new Set<string>(['RedisService', 'RedisDestination']);

/** How many are logged at a time. */
const MOST_TOLD = 20;

/** `before`: the World without these changes. */
export function logObjects(log: Logger, before: World, { set, deleted }: ObjectChanges): void {
  const news: string[] = [];
  for (const { kind, namespace, name } of set) {
    if (!TOLD_KINDS.has(kind)) continue;
    const isKnown = before.object(objectKey(kind, namespace, name)) !== undefined;
    news.push(`${kind} ${namespace}/${name} ${isKnown ? 'changed' : 'was added'}`);
  }
  for (const { kind, namespace, name } of deleted)
    if (TOLD_KINDS.has(kind) && before.object(objectKey(kind, namespace, name)) !== undefined)
      news.push(`${kind} ${namespace}/${name} is gone`);
  for (const line of news.slice(0, MOST_TOLD)) log.info(line);
  if (news.length > MOST_TOLD) log.info(`${news.length - MOST_TOLD} more objects came, changed or went`);
}
