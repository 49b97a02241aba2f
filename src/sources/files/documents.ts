/**
 * The text of one file → its documents, each parsed into objects or refused.
 */
import type { Document } from 'yaml';

import type { Diagnostic, FieldPath } from '../../api/diagnostic.ts';
import { parseObject, type ParseOutcome } from '../../api/parse.ts';
import { asRefused } from '../../api/refused-destination.ts';
import { isOurs, remember } from '../kubernetes/raw-objects.ts';
import type { RawObject } from '../kubernetes/reflector.ts';
import { aliasErrors, syntaxErrors, templateError } from './syntax-error.ts';
import { locator, parseYaml, type FileText, type YamlText } from './yaml-text.ts';

export interface ParsedDocument {
  /** Text and place: a document that has both as before is not parsed again. */
  readonly key: string;
  readonly outcomes: readonly ParseOutcome[];
}

export interface ParsedFile {
  readonly source: FileText;
  readonly documents: readonly ParsedDocument[];
  /** What keeps the file, or a document of it, from being YAML. */
  readonly syntaxErrors: readonly Diagnostic[];
}

/** Documents of `before` that are still the same keep their objects. */
export function parseFile(file: string, content: string, before: ParsedFile | undefined): ParsedFile {
  // Of byte order marks the library takes the first only; files that were joined have one at each of their beginnings.
  const text = content.replaceAll(/^\ufeff/gm, '');
  const known = new Map(before?.documents.map((document) => [document.key, document]));
  // Objects that stay ask the new text where they stand: else each of them would keep the text it was read from.
  const source = before?.source ?? { file, text };
  source.text = text;
  const yaml = parseYaml(text);
  const documents: ParsedDocument[] = [];
  const errors: Diagnostic[] = [];
  let start = 0;
  for (const [index, document] of yaml.documents.entries()) {
    const end = document.range[2];
    const key = `${yaml.lines.linePos(start).line} ${index} ${text.slice(start, end)}`;
    start = end;
    const same = known.get(key);
    if (document.errors.length > 0) {
      errors.push(...syntaxErrors(file, yaml, document));
      const outcomes = same?.outcomes ?? standIns(parseDocument(document, { source, yaml, index }) ?? []);
      documents.push(same ?? { key, outcomes });
      continue;
    }
    const outcomes = same?.outcomes ?? parseDocument(document, { source, yaml, index });
    if (outcomes === undefined) errors.push(...aliasErrors(file, yaml, document));
    else documents.push(same ?? { key, outcomes });
  }
  const isWhole = ({ outcomes }: ParsedDocument): boolean => outcomes.every(({ kind }) => kind !== 'refused');
  const isWrong = errors.length > 0 || !documents.every(isWhole);
  const template = isWrong ? templateError(file, yaml, text) : undefined;
  if (template === undefined) return { source, documents, syntaxErrors: errors };
  const untold = documents.map((document) =>
    // Without a key: what is wrong with it is told once the template is not there any more.
    isWhole(document) ? document : { key: '', outcomes: standIns(document.outcomes) },
  );
  return { source, documents: untold, syntaxErrors: [template] };
}

/** Of a document that is told as a whole: what must stay closed for it. */
function standIns(outcomes: readonly ParseOutcome[]): readonly ParseOutcome[] {
  return outcomes.flatMap((outcome): readonly ParseOutcome[] => {
    if (outcome.kind === 'passed-over') return [];
    const standIn = outcome.kind === 'refused' ? outcome.standIn : asRefused(outcome.object);
    return standIn === undefined ? [] : [{ kind: 'refused', object: undefined, standIn, diagnostics: [] }];
  });
}

interface Place {
  readonly source: FileText;
  readonly yaml: YamlText;
  /** Of the document in it. */
  readonly index: number;
}

/** undefined where an alias, or a merge, keeps the document from being values. */
function parseDocument(document: Document, place: Place): readonly ParseOutcome[] | undefined {
  let value: unknown;
  try {
    value = document.toJS();
  } catch {
    // The library throws for an alias without an anchor, for aliases that unfold without end, and for a merge (<<) of what
    // is no map. Whatever else it may be is in the text, which must not end who follows files.
    return undefined;
  }
  return value === null || value === undefined ? [] : parseValue(value, [], place);
}

/** A List is the objects in it, which may be Lists again. */
function parseValue(value: unknown, base: FieldPath, place: Place): readonly ParseOutcome[] {
  const locate = locator(place.source, place.yaml, place.index, base);
  if (typeof value !== 'object' || value === null || !('kind' in value) || value.kind !== 'List') {
    const outcome = parseObject(value, locate);
    if (outcome.kind === 'object' && isOurs(outcome.object)) remember(outcome.object, value as RawObject);
    return [outcome];
  }
  const items: unknown = 'items' in value ? value.items : undefined;
  if (Array.isArray(items)) {
    return items.flatMap((item: unknown, at) => parseValue(item, [...base, 'items', at], place));
  }
  const path = [...base, 'items'];
  const position = locate(['items']);
  const diagnostic: Diagnostic = {
    severity: 'error',
    reason: 'InvalidValue',
    path,
    ...(position === undefined ? {} : { position }),
    message: 'is not a list; write the objects of the List below it, each with - before its first line',
  };
  return [{ kind: 'refused', object: undefined, standIn: undefined, diagnostics: [diagnostic] }];
}
