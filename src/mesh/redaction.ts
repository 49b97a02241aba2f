/**
 * Takes passwords that were written out of what is told: an answer that refuses an EnvoyFilter may quote it.
 */
export class Redaction {
  readonly #noted = new Set<string>();
  readonly #spellings = new Set<string>();

  note(secret: string): void {
    if (this.#noted.has(secret)) return;
    this.#noted.add(secret);
    for (const spelling of spellingsOf(secret)) this.#spellings.add(spelling);
  }

  /** Of a whole text: what is cut may end within a password. */
  redact(text: string): string {
    // The longest first, since one may be a part of another.
    return [...this.#spellings]
      .sort((a, b) => b.length - a.length)
      .reduce((rest, spelling) => rest.replaceAll(spelling, '[redacted]'), text);
  }
}

/** As it is, as a text of JSON, and as Go writes that, which the API server does; each may be quoted once more. */
function spellingsOf(secret: string): readonly string[] {
  const once = [secret, inJson(secret), inGosJson(secret)];
  return [...once, ...once.map(inJson), ...once.map(inGosJson)].filter((spelling) => spelling !== '');
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Safe within HTML, and some control characters by number. */
function inGosJson(text: string): string {
  return inJson(text)
    .replace(/[<>&\u2028\u2029]/g, (character) => byNumber(character.charCodeAt(0)))
    .replace(/\\(.)/g, (escape, letter: string) =>
      letter === 'b' ? byNumber(0x08) : letter === 'f' ? byNumber(0x0c) : escape,
    );
}

function byNumber(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
