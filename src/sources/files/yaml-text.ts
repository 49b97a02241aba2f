/**
 * A text as YAML documents, and where a field stands in it.
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
  type YAMLError,
} from 'yaml';

import type { FieldPath, Position } from '../../api/diagnostic.ts';

export interface YamlText {
  readonly documents: readonly Document.Parsed[];
  readonly lines: LineCounter;
}

/** The text of a file as it is now, shared by all that was read of it. */
export interface FileText {
  readonly file: string;
  text: string;
}

/** What is parsed in one turn of the event loop; enough for Diagnostics that go back and forth between files. */
const RECENT = 4;
const recent = new Map<string, YamlText>();

/**
 * The trees of thousands of files would fill the memory, so they are dropped at the end of the turn and made again when
 * somebody asks for a place; within the turn a file with thousands of mistakes is parsed once.
 */
export function parseYaml(text: string): YamlText {
  const known = recent.get(text);
  if (known !== undefined) return known;
  const lines = new LineCounter();
  // Merge keys (<<) as kubectl reads them. No log: a library must not print on its own.
  const options = { lineCounter: lines, prettyErrors: false, merge: true, logLevel: 'error' } as const;
  const parsed = { documents: [...parseAllDocuments(text, options)], lines };
  moveErrorsHome(parsed.documents);
  if (recent.size === 0) setImmediate(() => recent.clear()).unref();
  const [oldest] = recent.keys();
  if (recent.size >= RECENT && oldest !== undefined) recent.delete(oldest);
  recent.set(text, parsed);
  return parsed;
}

/** What stands before the value of a document (`]`) the library counts among the errors of the one before it (yaml 2.9). */
function moveErrorsHome(documents: readonly Document.Parsed[]): void {
  for (const [index, document] of documents.entries()) {
    const next = documents[index + 1];
    if (next === undefined) return;
    const isStray = ({ pos: [at] }: YAMLError): boolean => at > next.range[0];
    // There may be too many for the arguments of one call.
    next.errors = [...document.errors.filter(isStray), ...next.errors];
    document.errors = document.errors.filter((error) => !isStray(error));
  }
}

export function positionAt(file: string, { lines }: YamlText, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { file, line, column: col };
}

/**
 * Where fields of an object stand, as the file is when it is asked. Where the object itself begins is remembered: it is
 * asked for most, and would cost reading the text again. `base`: where the object is in the document.
 */
export function locator(
  source: FileText,
  yaml: YamlText,
  index: number,
  base: FieldPath,
): (path: FieldPath) => Position | undefined {
  const begin = positionIn(source.file, yaml, index, base);
  return (path) =>
    path.length === 0 ? begin : positionIn(source.file, parseYaml(source.text), index, [...base, ...path]);
}

function positionIn(file: string, yaml: YamlText, index: number, path: FieldPath): Position | undefined {
  const document = yaml.documents[index];
  const offset = document && offsetOf(document, path);
  return offset === undefined ? undefined : positionAt(file, yaml, offset);
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
