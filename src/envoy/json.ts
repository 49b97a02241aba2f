/**
 * Messages as proto3 JSON, as Envoy reads it in files: durations as "0.5s", wrappers as their values, Struct as JSON, an
 * Any inlined. Driven by the protos' own descriptors.
 */
import { definitions, type MessageName, type Messages } from './codec.ts';

interface FieldDescriptor {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  /** As written in the proto: relative to the message or full. */
  readonly typeName: string;
}

interface MessageDescriptor {
  readonly name: string;
  readonly field: readonly FieldDescriptor[];
  readonly nestedType: readonly MessageDescriptor[];
  readonly options: { readonly mapEntry?: boolean } | null;
}

type Json = unknown;
type Fields = Readonly<Record<string, unknown>>;

const messages = new Map<string, MessageDescriptor>();
for (const [name, definition] of Object.entries(definitions)) {
  if (isMessage(definition)) register(name, definition.type as MessageDescriptor);
}

/** Leaves out fields that are not set and empty lists. */
export function toJson<N extends MessageName>(name: N, message: Messages[N]): object {
  return messageToJson(name, message as Fields) as object;
}

function messageToJson(name: string, message: Fields): Json {
  const special = SPECIAL[name];
  if (special !== undefined) return special(message);
  const json: Record<string, Json> = {};
  for (const field of descriptorOf(name).field) {
    const value = message[field.name];
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) continue;
    json[field.name] = fieldToJson(name, field, value);
  }
  return json;
}

function fieldToJson(parent: string, field: FieldDescriptor, value: unknown): Json {
  if (field.type !== 'TYPE_MESSAGE') return value;
  const name = resolve(parent, field.typeName);
  const entry = messages.get(name);
  if (entry?.options?.mapEntry === true) {
    const [, valueField] = entry.field;
    if (valueField === undefined) throw new Error(`${name} has no value field`);
    const pairs = Object.entries(value as Fields);
    return Object.fromEntries(pairs.map(([key, item]) => [key, fieldToJson(name, valueField, item)]));
  }
  if (Array.isArray(value)) return value.map((item: Fields) => messageToJson(name, item));
  return messageToJson(name, value as Fields);
}

const unwrap = ({ value }: Fields): Json => value ?? 0;

/** Well-known types, whose JSON is not that of their fields. */
const SPECIAL: Readonly<Record<string, ((message: Fields) => Json) | undefined>> = {
  'google.protobuf.Any': (message) => {
    const { '@type': url, ...rest } = message;
    const name = String(url).replace(/^type\.googleapis\.com\//, '');
    return { '@type': url, ...(messageToJson(name, rest) as object) };
  },
  'google.protobuf.Duration': (message) => {
    const { seconds, nanos } = message as { readonly seconds?: number; readonly nanos?: number };
    const fraction = String(nanos ?? 0)
      .padStart(9, '0')
      .replace(/0+$/, '');
    return `${String(seconds ?? 0)}${fraction === '' ? '' : `.${fraction}`}s`;
  },
  'google.protobuf.BoolValue': ({ value }) => value ?? false,
  'google.protobuf.UInt32Value': unwrap,
  'google.protobuf.UInt64Value': unwrap,
  'google.protobuf.DoubleValue': unwrap,
  'google.protobuf.Struct': structToJson,
};

function structToJson({ fields }: Fields): Json {
  const entries = Object.entries((fields ?? {}) as Readonly<Record<string, Fields>>);
  return Object.fromEntries(entries.map(([key, value]) => [key, valueToJson(value)]));
}

function valueToJson(value: Fields): Json {
  if (value['structValue'] !== undefined) return structToJson(value['structValue'] as Fields);
  if (value['listValue'] !== undefined) {
    return ((value['listValue'] as Fields)['values'] as Fields[] | undefined)?.map(valueToJson) ?? [];
  }
  return value['stringValue'] ?? value['numberValue'] ?? value['boolValue'] ?? null;
}

/** Names resolve as in C++: from the innermost scope outwards. */
function resolve(scope: string, typeName: string): string {
  const name = typeName.replace(/^\./, '');
  for (let outer = scope; outer !== ''; outer = outer.slice(0, Math.max(outer.lastIndexOf('.'), 0))) {
    const candidate = `${outer}.${name}`;
    if (messages.has(candidate)) return candidate;
  }
  return name;
}

function register(name: string, descriptor: MessageDescriptor): void {
  messages.set(name, descriptor);
  for (const nested of descriptor.nestedType) register(`${name}.${nested.name}`, nested);
}

function descriptorOf(name: string): MessageDescriptor {
  const descriptor = messages.get(name);
  if (descriptor === undefined) throw new Error(`the protos have no message ${name}`);
  return descriptor;
}

function isMessage(definition: object): definition is { type: object } {
  return 'format' in definition && definition.format === 'Protocol Buffer 3 DescriptorProto';
}
