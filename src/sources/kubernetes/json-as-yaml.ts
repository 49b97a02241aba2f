/**
 * JSON for a reader of YAML, which is how the API server takes what is applied: all that JSON is more than YAML is put in
 * another spelling, since one such character in one object's text would have the whole request refused, or be taken for a
 * line break and changed.
 *
 * As go.yaml.in/yaml 2.4 reads: it refuses U+007F to U+009F, U+FFFE, U+FFFF and halves of characters that are cut in two
 * (which JSON.stringify writes as `\ud83d`), and folds U+0085, U+2028 and U+2029.
 */
export function jsonAsYaml(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, byNumber)
    .replaceAll(/\\\\|\\ud[89a-f]../g, (escape) => (escape === '\\\\' ? escape : REPLACEMENT));
}

/** What every other writer puts in the place of half a character. */
const REPLACEMENT = '\\ufffd';

function byNumber(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
