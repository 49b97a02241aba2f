/**
 * What an Envoy says when it refuses a response: which resources it means, and how much of it may be repeated.
 */

/** Where Envoy 1.40 cuts its message off: names may be missing from then on. */
export const TRUNCATED = '...(truncated)';

/**
 * The names that the message lays the blame on; all of them where it is silent on that, because then nothing of the
 * response was applied (Envoy 1.40: failed decoding, a limit violated at the top level of a cluster).
 */
export function blamedNames(message: string, names: readonly string[]): readonly string[] {
  if (message.endsWith(TRUNCATED)) return names;
  const blamed = new Set(entriesOf(message, names).map(({ name }) => name));
  return blamed.size > 0 ? names.filter((name) => blamed.has(name)) : names;
}

/** What it says of each that it names. */
export function wordsByName(message: string, names: readonly string[]): ReadonlyMap<string, string> {
  const entries = entriesOf(message, names);
  return new Map(
    entries.map(({ name, textStart }, at) => [name, message.slice(textStart, entries[at + 1]?.start).trim()]),
  );
}

interface Entry {
  readonly name: string;
  /** Of the entry, with what stands before its name. */
  readonly start: number;
  readonly textStart: number;
}

/** What stands before the names. */
const BEFORE_NAME = /^(?:Error adding\/updating \S+ )?|, /gm;

/**
 * Envoy 1.40 lists listeners as lines `NAME: text`, clusters as `NAME: text, NAME: text`; the texts may hold line ends and
 * commas themselves. So it is the names that are searched for, in one pass: a client may say anything, at any length.
 */
function entriesOf(message: string, names: readonly string[]): readonly Entry[] {
  const entries: Entry[] = [];
  const known = new Set(names);
  const longest = names.reduce((most, { length }) => Math.max(most, length), 0);
  let colon = message.indexOf(': ');
  for (const { index: start, 0: before } of message.matchAll(BEFORE_NAME)) {
    const nameStart = start + before.length;
    if (colon < nameStart) colon = message.indexOf(': ', nameStart);
    if (colon === -1) break;
    const name = message.slice(nameStart, Math.min(colon, nameStart + longest + 1));
    if (known.delete(name)) entries.push({ name, start, textStart: colon + 2 });
  }
  return entries;
}

/**
 * A violated limit makes Envoy print the whole resource as text (`goo.gle/debugproto name: "…" address { …`), in varying
 * form, before it says what is wrong. Listeners and clusters hold passwords.
 */
const CONTENTS =
  /(?:goo\.gle\/debug|\bdebug(?:proto|str)|\b\w+: ?"|\b\w+\s*[{<]|[{[]\s*")[^]*?(?=:?\s*Proto constraint validation failed|$)/g;

/** The message without the contents of resources: this, and nothing else of it, may be logged, shown or stored. */
export function withoutContents(message: string): string {
  return message.trimEnd().replace(CONTENTS, '(contents left out)');
}
