/**
 * The official descriptors, out of an Envoy binary: it carries every FileDescriptorProto it was built with, serialized.
 */
import { readFileSync } from 'node:fs';

export interface OfficialField {
  readonly name: string;
  readonly number: number;
  /** FieldDescriptorProto.Type and .Label, by number. */
  readonly type: number;
  readonly label: number;
  /** Full, with a leading dot; empty for scalars. */
  readonly typeName: string;
  readonly oneof: string | undefined;
}

export interface OfficialDescriptors {
  /** By full name. */
  readonly messages: ReadonlyMap<string, readonly OfficialField[]>;
  readonly enums: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** Reads the files with these names, `envoy/config/core/v3/base.proto`. */
export function readDescriptors(binary: string, files: readonly string[]): OfficialDescriptors {
  const bytes = readFileSync(binary);
  const messages = new Map<string, readonly OfficialField[]>();
  const enums = new Map<string, ReadonlyMap<string, number>>();
  for (const file of files) {
    const found = findFile(bytes, file);
    if (found === undefined) throw new Error(`the binary has no descriptor of ${file}`);
    collectFile(found, messages, enums);
  }
  return { messages, enums };
}

interface WireField {
  readonly number: number;
  readonly value: number | Buffer;
}

/** FileDescriptorProto begins with its name, field 1; its package, field 2, or its first import follows. */
function findFile(bytes: Buffer, file: string): readonly WireField[] | undefined {
  const head = Buffer.concat([Buffer.from([0x0a, ...varint(file.length)]), Buffer.from(file)]);
  for (let at = bytes.indexOf(head); at >= 0; at = bytes.indexOf(head, at + 1)) {
    const fields = readFields(bytes, at);
    if (fields.some(({ number }) => number === 4 || number === 5)) return fields;
  }
  return undefined;
}

/** As long as what comes is a field that a FileDescriptorProto may have. */
function readFields(bytes: Buffer, start: number): readonly WireField[] {
  const fields: WireField[] = [];
  const once = new Set<number>();
  let at = start;
  for (;;) {
    const [tag, afterTag] = readVarint(bytes, at);
    const number = Math.floor(tag / 8);
    const isBytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12].includes(number) && tag % 8 === 2;
    const isNumber = [10, 11, 14].includes(number) && tag % 8 === 0;
    if (!isBytes && !isNumber) return fields;
    if ([1, 2, 8, 12, 14].includes(number)) {
      if (once.has(number)) return fields;
      once.add(number);
    }
    const [value, afterValue] = readVarint(bytes, afterTag);
    at = isBytes ? afterValue + value : afterValue;
    if (at > bytes.length) return fields;
    fields.push({ number, value: isBytes ? bytes.subarray(afterValue, at) : value });
  }
}

/** All fields of a message whose bounds are known. */
function parse(bytes: Buffer): readonly WireField[] {
  const fields: WireField[] = [];
  for (let at = 0; at < bytes.length;) {
    const [tag, afterTag] = readVarint(bytes, at);
    const [value, afterValue] = readVarint(bytes, afterTag);
    const isBytes = tag % 8 === 2;
    at = isBytes ? afterValue + value : afterValue;
    fields.push({ number: Math.floor(tag / 8), value: isBytes ? bytes.subarray(afterValue, at) : value });
  }
  return fields;
}

function collectFile(
  file: readonly WireField[],
  messages: Map<string, readonly OfficialField[]>,
  enums: Map<string, ReadonlyMap<string, number>>,
): void {
  const scope = text(file, 2);
  for (const message of all(file, 4)) collectMessage(message, scope, messages, enums);
  for (const found of all(file, 5)) collectEnum(found, scope, enums);
}

function collectMessage(
  bytes: Buffer,
  scope: string,
  messages: Map<string, readonly OfficialField[]>,
  enums: Map<string, ReadonlyMap<string, number>>,
): void {
  const fields = parse(bytes);
  const name = `${scope}.${text(fields, 1)}`;
  const oneofs = all(fields, 8).map((oneof) => text(parse(oneof), 1));
  messages.set(
    name,
    all(fields, 2).map((field): OfficialField => {
      const parts = parse(field);
      const oneof = parts.find(({ number }) => number === 9)?.value;
      return {
        name: text(parts, 1),
        number: number(parts, 3),
        label: number(parts, 4),
        type: number(parts, 5),
        typeName: text(parts, 6),
        oneof: typeof oneof === 'number' ? oneofs[oneof] : undefined,
      };
    }),
  );
  for (const nested of all(fields, 3)) collectMessage(nested, name, messages, enums);
  for (const found of all(fields, 4)) collectEnum(found, name, enums);
}

function collectEnum(bytes: Buffer, scope: string, enums: Map<string, ReadonlyMap<string, number>>): void {
  const fields = parse(bytes);
  const values = all(fields, 2).map((value) => {
    const parts = parse(value);
    return [text(parts, 1), number(parts, 2)] as const;
  });
  enums.set(`${scope}.${text(fields, 1)}`, new Map(values));
}

function all(fields: readonly WireField[], wanted: number): readonly Buffer[] {
  return fields.flatMap(({ number, value }) =>
    number === wanted && typeof value !== 'number' ? [value] : [],
  );
}

function text(fields: readonly WireField[], wanted: number): string {
  return all(fields, wanted)[0]?.toString() ?? '';
}

function number(fields: readonly WireField[], wanted: number): number {
  const value = fields.find((field) => field.number === wanted)?.value;
  return typeof value === 'number' ? value : 0;
}

function readVarint(bytes: Buffer, start: number): readonly [value: number, next: number] {
  let value = 0;
  for (let at = start, factor = 1; at < start + 8; at++, factor *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return [value, at + 1];
  }
  return [0, start + 8];
}

function varint(value: number): readonly number[] {
  return value < 128 ? [value] : [(value & 0x7f) | 0x80, value >> 7];
}
