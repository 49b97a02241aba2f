/**
 * What keeps a document from being YAML, in our words.
 *
 * Never quotes the text: what YAML stumbles over may be a password.
 */
import { isAlias, isMap, isNode, isPair, isScalar, isSeq, visit, YAMLMap, type Document } from 'yaml';

import type { Diagnostic } from '../../api/diagnostic.ts';
import { positionAt, type YamlText } from './yaml-text.ts';

type YamlError = Document['errors'][number];

const MESSAGES: Readonly<Partial<Record<YamlError['code'], string>>> = {
  TAB_AS_INDENT: 'a tab is used for indentation; write spaces',
  DUPLICATE_KEY: 'the same field is there twice; remove one of them',
  BAD_DQ_ESCAPE:
    'a backslash in double quotes begins nothing that YAML knows; write \\\\, or use single quotes',
  BAD_SCALAR_START: 'a value can not begin with this character; put the value in quotes',
  TAG_RESOLVE_FAILED: 'a tag (!) is not known; remove it, or put the value in quotes if it begins with !',
  BAD_ALIAS: '* begins an alias of YAML, and & what it stands for; put the value in quotes',
  RESOURCE_EXHAUSTION: 'lists or maps stand in each other too deep; write them flatter',
  ALIAS_PROPS: 'an alias (*) stands beside an anchor or a tag; write the value itself',
};

const ALIAS = 'an alias (*) has no anchor (&) before it; write the value itself, or put it in quotes';
const TOO_MANY = 'the aliases (*) of this document unfold to too much; write the values themselves';
const TEMPLATE =
  'a template ({{ }}) is not rendered yet; do that first, for example: helm template CHART | redpilot validate -';
const MERGE = 'a merge (<<) takes a map, or an alias (*) of one; write the fields themselves';
const NEXT = 'mend the text here, or write --- on a line before it if a new document begins';

/** One for each mistake: what follows an unexpected token is unexpected as well, and a line rarely has two. */
export function syntaxErrors(file: string, yaml: YamlText, document: Document): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  let isLost = false;
  for (const error of document.errors) {
    const diagnostic = syntaxError(file, yaml, error.pos[0], messageOf(error));
    const isSameLine = diagnostic.position?.line === found.at(-1)?.position?.line;
    if (!isSameLine && !(isLost && error.code === 'UNEXPECTED_TOKEN')) found.push(diagnostic);
    isLost ||= error.code === 'UNEXPECTED_TOKEN';
  }
  return found;
}

/** Of Helm's templates, or Ansible's: `{{ .Values.x }}`, `{{if …`, `{{ x }}`. A key of Redis may begin with `{{x`. */
const ACTION = /^[^#\n]*?(?=\{\{-?(?: +[\w.$"(]| *(?:[.$]|\/\*|(?:else|end)\b|[a-z]\w* +[.$"(])))/m;

/** Of a file in which something is wrong: it is a template, and what follows from that need not be told. */
export function templateError(file: string, yaml: YamlText, text: string): Diagnostic | undefined {
  const found = ACTION.exec(text);
  return found === null ? undefined : syntaxError(file, yaml, found.index + found[0].length, TEMPLATE);
}

/** Why the document can't be made into values: its aliases and merges. */
export function aliasErrors(file: string, yaml: YamlText, document: Document): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  visit(document, (_key, node) => {
    if (isAlias(node)) {
      if (node.resolve(document) === undefined)
        found.push(syntaxError(file, yaml, node.range?.[0] ?? 0, ALIAS));
    } else if (isPair(node) && isMerge(node.key) && !isMergeable(node.value, document)) {
      const at = isNode(node.key) ? node.key.range?.[0] : undefined;
      found.push(syntaxError(file, yaml, at ?? 0, MERGE));
    }
  });
  if (found.length === 0) found.push(syntaxError(file, yaml, document.contents?.range?.[0] ?? 0, TOO_MANY));
  return found;
}

function isMerge(key: unknown): boolean {
  return isScalar(key) && (key.value === '<<' || typeof key.value === 'symbol');
}

function isMergeable(value: unknown, document: Document): boolean {
  // An alias without an anchor is told as that.
  const source = isAlias(value) ? (value.resolve(document) ?? new YAMLMap()) : value;
  if (isSeq(source)) return source.items.every((item) => !isSeq(item) && isMergeable(item, document));
  return isMap(source);
}

function messageOf({ code, message }: YamlError): string {
  const known = MESSAGES[code];
  if (known !== undefined) return known;
  // The library puts what it found after a colon: `Not a YAML token: …`.
  const said = message.replace(/(?<=\w): .*$/s, '').replace(/[.:]$/, '');
  const remedy = said.includes('at node end') ? NEXT : 'mend the text here';
  return `this is not YAML: ${said.charAt(0).toLowerCase()}${said.slice(1)}; ${remedy}`;
}

function syntaxError(file: string, yaml: YamlText, offset: number, message: string): Diagnostic {
  const position = positionAt(file, yaml, offset);
  return { severity: 'error', reason: 'SyntaxError', path: [], position, message };
}
