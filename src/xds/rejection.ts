/**
 * What an Envoy says when it refuses a response: which resources it means, and how much of it may be repeated.
 */

/** Where Envoy 1.40 cuts its message off: names may be missing from then on. */
const TRUNCATED = '...(truncated)';

/**
 * The names that the message lays the blame on; all of them where it is silent on that, because then nothing of the
 * response was applied (Envoy 1.40: failed decoding, a limit violated at the top level of a cluster).
 *
 * Listeners are blamed one per line as `NAME: text`, the first after `Error adding/updating listener(s) `; the texts may
 * hold line ends themselves. So it is the names that are searched for, not the lines that are split.
 */
export function blamedNames(message: string, names: readonly string[]): readonly string[] {
  if (message.endsWith(TRUNCATED)) return names;
  const starts = message.split('\n').map((line) => line.replace(/^Error adding\/updating \S+ /, ''));
  const blamed = names.filter((name) => starts.some((start) => start.startsWith(`${name}: `)));
  return blamed.length > 0 ? blamed : names;
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
