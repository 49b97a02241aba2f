/** The messages and enums of our own protos, by full name. */
import { definitions } from '../../src/envoy/codec.ts';

interface OurField {
  readonly name: string;
  readonly number: number;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
  readonly oneofIndex: number;
}

export interface OurMessage {
  readonly field: readonly OurField[];
  readonly nestedType: readonly (OurMessage & { readonly name: string })[];
  readonly enumType: readonly OurEnum[];
  readonly oneofDecl: readonly { readonly name: string }[];
}

export interface OurEnum {
  readonly name: string;
  readonly value: readonly { readonly name: string; readonly number: number }[];
}

export const ourMessages = new Map<string, OurMessage>();
export const ourEnums = new Map<string, OurEnum>();
for (const [name, definition] of Object.entries(definitions)) {
  if (!('format' in definition) || name.startsWith('google.protobuf.')) continue;
  if (definition.format === 'Protocol Buffer 3 DescriptorProto') collect(name, definition.type as OurMessage);
  else ourEnums.set(name, definition.type as OurEnum);
}

function collect(name: string, message: OurMessage): void {
  ourMessages.set(name, message);
  for (const nested of message.nestedType) collect(`${name}.${nested.name}`, nested);
  for (const found of message.enumType) ourEnums.set(`${name}.${found.name}`, found);
}
