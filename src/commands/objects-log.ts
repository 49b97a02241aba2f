/**
 * Logs which RedisServices and RedisDestinations came, changed or went; of very many at a time the first, and how many more.
 */
import type { Logger } from 'pino';

import { isStandIn } from '../api/refused-destination.ts';
import { sameContent } from '../plan/same-content.ts';
import { objectKey, type ObjectChanges, type World } from '../world/world.ts';

/** Pods come and go all the time: what only follows them is no news. */
const TOLD_KINDS = new Set<string>(['RedisService', 'RedisDestination']);

/** How many are logged at a time. */
const MOST_TOLD = 20;

/** `before`: the World without these changes. */
export function logObjects(log: Logger, before: World, { set, deleted }: ObjectChanges): void {
  const news: string[] = [];
  for (const object of set) {
    const { kind, namespace, name } = object;
    if (!TOLD_KINDS.has(kind) || isStandIn(object)) continue;
    const known = before.object(objectKey(kind, namespace, name));
    if (known === undefined || isStandIn(known)) news.push(`${kind} ${namespace}/${name} was added`);
    else if (!sayTheSame(known, object)) news.push(`${kind} ${namespace}/${name} changed`);
  }
  for (const { kind, namespace, name } of deleted) {
    const known = before.object(objectKey(kind, namespace, name));
    if (TOLD_KINDS.has(kind) && known !== undefined && !isStandIn(known))
      news.push(`${kind} ${namespace}/${name} is gone`);
  }
  for (const line of news.slice(0, MOST_TOLD)) log.info(line);
  if (news.length > MOST_TOLD) log.info(`${news.length - MOST_TOLD} more objects came, changed or went`);
}

/** Other lines of the file, nothing else. */
function sayTheSame(one: object, other: object): boolean {
  return sameContent({ ...one, locate: undefined }, { ...other, locate: undefined });
}
