/**
 * The text of one file → its documents, each parsed into an object or refused.
 */
import {
  LineCounter,
  isMap,
  isPair,
  isScalar,
  isSeq,
  parseAllDocuments,
  type Document,
  type Node,
} from 'yaml';

import type { Diagnostic, FieldPath, Position } from '../../api/diagnostic.ts';
import { parseObject, type ParseOutcome } from '../../api/parse.ts';

export interface ParsedDocument {
  /** Text and place: a document that has both as before is not parsed again. */
  readonly key: string;
  readonly outcomes: readonly ParseOutcome[];
}

export interface ParsedFile {
  readonly documents: readonly ParsedDocument[];
  /** What keeps the file, or a document of it, from being YAML. */
  readonly syntaxErrors: readonly Diagnostic[];
}

/** Documents of `before` that are still the same keep their objects. */
export function parseFile(file: string, text: string, before: ParsedFile | undefined): ParsedFile {
  const known = new Map(before?.documents.map((document) => [document.key, document]));
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const documents: ParsedDocument[] = [];
  const syntaxErrors: Diagnostic[] = [];
  let start = 0;
  for (const [index, document] of [...parsed].entries()) {
    const end = document.range[2];
    const key = `${lines.linePos(start).line} ${index} ${text.slice(start, end)}`;
    start = end;
    if (document.errors.length > 0) {
      syntaxErrors.push(...document.errors.map((error) => syntaxError(file, lines, error)));
      continue;
    }
    documents.push(known.get(key) ?? { key, outcomes: parseDocument(document, { file, text, index }) });
  }
  return { documents, syntaxErrors };
}

interface Place {
  readonly file: string;
  readonly text: string;
  readonly index: number;
}

function parseDocument(document: Document, place: Place): readonly ParseOutcome[] {
  const value: unknown = document.toJS();
  if (value === null || value === undefined) return [];
  const items = listItems(value);
  if (items === undefined) return [parseObject(value, locator(place, []))];
  return items.map((item, index) => parseObject(item, locator(place, ['items', index])));
}

function listItems(value: unknown): readonly unknown[] | undefined {
  if (typeof value !== 'object' || value === null || !('kind' in value) || value.kind !== 'List')
    return undefined;
  return 'items' in value && Array.isArray(value.items) ? value.items : [];
}

/**
 * Says where a field stands. Parses the text again when it is asked: most objects are never asked, and the parsed trees of
 * thousands of files would stay in memory.
 */
function locator({ file, text, index }: Place, base: FieldPath): (path: FieldPath) => Position | undefined {
  return (path) => {
    const lines = new LineCounter();
    const document = [...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })][index];
    const offset = document && offsetOf(document, [...base, ...path]);
    return offset === undefined ? undefined : position(file, lines, offset);
  };
}

/** Where the key of a field or the item of a list begins; of what is absent, where the nearest thing around it does. */
function offsetOf(document: Document, path: FieldPath): number | undefined {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === part);
      if (pair === undefined) return offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      if (node === undefined) return offset;
      offset = startOf(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function position(file: string, lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { file, line, column: col };
}

function syntaxError(
  file: string,
  lines: LineCounter,
  error: { readonly code: string; readonly message: string; readonly pos: readonly [number, number] },
): Diagnostic {
  const remedies: Readonly<Record<string, string>> = {
    TAB_AS_INDENT: 'a tab is used for indentation; write spaces',
    DUPLICATE_KEY: 'the same field is there twice; remove one of them',
  };
  const said = error.message.charAt(0).toLowerCase() + error.message.slice(1);
  return {
    severity: 'error',
    reason: 'SyntaxError',
    path: [],
    position: position(file, lines, error.pos[0]),
    message: remedies[error.code] ?? `this is not YAML: ${said.replace(/[.:]$/, '')}; mend the text here`,
  };
}
