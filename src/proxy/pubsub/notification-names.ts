/**
 * Which channels and patterns are of keyspace notifications and of nothing else: each node tells those of its own keys.
 */
const CHANNELS = ['__keyspace@', '__keyevent@'];
/** In front of the first one a pattern is what it says. */
const WILD = /[*?[\\]/;

/** Of one command, names next to each other that are asked of the same servers. */
export interface Run {
  readonly isOfNotifications: boolean;
  readonly names: readonly string[];
}

/** `kind`: (P)SUBSCRIBE or (P)UNSUBSCRIBE. Not `*` nor `_*`: what everybody publishes matches as well. */
export function isOfNotifications(kind: string, name: string): boolean {
  const wild = kind.startsWith('p') ? name.search(WILD) : -1;
  if (wild < 0) return CHANNELS.some((begin) => name.startsWith(begin));
  const literal = name.slice(0, wild);
  const isBegun = literal.startsWith('__key');
  return CHANNELS.some((begin) => literal.startsWith(begin) || (isBegun && begin.startsWith(literal)));
}

export function inRuns(kind: string, names: readonly string[]): readonly Run[] {
  const runs: { isOfNotifications: boolean; names: string[] }[] = [];
  for (const name of names) {
    const isNotified = isOfNotifications(kind, name);
    const last = runs.at(-1);
    if (last?.isOfNotifications === isNotified) last.names.push(name);
    else runs.push({ isOfNotifications: isNotified, names: [name] });
  }
  return runs;
}
