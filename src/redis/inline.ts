/**
 * Inline commands: a line of words, as typed into telnet, with Redis' quotes and escapes.
 */
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\u0007' };

/** A page in a browser can make it send a POST to loopback, whose body would be carried out line by line. */
const HTTP = /^(post|host:)$/i;

/** In ASCII only, as Redis has it: the last byte of "à" in UTF-8 is a space in Latin-1. */
const SPACE = /[ \t\n\v\f\r]/;
/** Of those, what ends a word that has begun; a closing quote ends it before any. */
const SEPARATOR = /[ \t\n\r]/;

/** The words as one RESP command; no word: an empty Buffer; a text: what is wrong with the line. */
export function inlineToCommand(line: Buffer): Buffer | string {
  const words = splitWords(line.toString('latin1').replace(/\r?\n$/, ''));
  if (words === undefined) return 'unbalanced quotes in request';
  if (HTTP.test(words[0] ?? '')) return 'this is Redis, and was asked in HTTP';
  if (words.length === 0) return Buffer.alloc(0);
  const parts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return Buffer.from(`*${words.length}\r\n${parts.join('')}`, 'latin1');
}

function splitWords(line: string): readonly string[] | undefined {
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (SPACE.test(line[at] ?? '')) at += 1;
    if (at >= line.length) return words;
    let word = '';
    while (at < line.length && !SEPARATOR.test(line[at] ?? '')) {
      const quote = line[at];
      if (quote !== '"' && quote !== "'") {
        word += quote;
        at += 1;
        continue;
      }
      const quoted = readQuoted(line, at, quote);
      if (quoted === undefined || !SPACE.test(line[quoted.behind] ?? ' ')) return undefined;
      word += quoted.text;
      at = quoted.behind;
      break;
    }
    words.push(word);
  }
}

function readQuoted(
  line: string,
  from: number,
  quote: '"' | "'",
): { readonly text: string; readonly behind: number } | undefined {
  let text = '';
  for (let at = from + 1; at < line.length; at++) {
    const character = line[at] ?? '';
    if (character === quote) return { text, behind: at + 1 };
    if (character !== '\\') {
      text += character;
      continue;
    }
    const next = line[at + 1] ?? '';
    const hex = quote === '"' ? /^x([0-9a-f]{2})/i.exec(line.slice(at + 1, at + 4))?.[1] : undefined;
    if (hex !== undefined) {
      text += String.fromCharCode(Number.parseInt(hex, 16));
      at += 3;
    } else if (quote === '"' && next !== '') {
      text += ESCAPES[next] ?? next;
      at += 1;
    } else if (next === "'") {
      text += next;
      at += 1;
    } else {
      text += character;
    }
  }
  return undefined;
}
