/**
 * What a server says of its commands (COMMAND), said again to a client: the same bytes in the client's protocol. It was asked
 * in RESP2, which has no sets and no maps: what is one where stands here.
 */
import type { CommandEntry } from '../../redis/command-spec.ts';
import { bulk } from '../wire/encode.ts';

type Encode = (value: unknown) => string;

/** The entry, field by field; versions before Redis 7 have fewer fields. */
export function encodeEntry(entry: CommandEntry, protocol: 2 | 3): string {
  const [setSign, mapSign] = protocol === 3 ? ['~', '%'] : ['*', '*'];
  const set =
    (encode: Encode): Encode =>
    (items) =>
      encodeAll(setSign, asList(items).map(encode));
  const map =
    (encodeField: (name: string, value: unknown) => string): Encode =>
    (flat) => {
      const list = asList(flat);
      const fields = list.map((item, index) =>
        index % 2 === 0 ? encodeValue(item) : encodeField(String(list[index - 1]), item),
      );
      const count = protocol === 3 ? fields.length / 2 : fields.length;
      return `${mapSign}${count}\r\n${fields.join('')}`;
    };
  const search = map((_, value) =>
    Array.isArray(value) ? map((_name, each) => encodeValue(each))(value) : encodeValue(value),
  );
  const keySpec = map((name, value) =>
    name === 'flags' ? set(encodeStatus)(value) : Array.isArray(value) ? search(value) : encodeValue(value),
  );
  // None are an empty set for Redis 7.0, and for Valkey a list, as where there are some.
  const subcommands: Encode = (entries) =>
    encodeArray(asList(entries).map((each) => encodeEntry(each as CommandEntry, protocol)));
  const statuses = set(encodeStatus);
  const encoders: readonly Encode[] = [
    encodeValue,
    encodeValue,
    statuses,
    encodeValue,
    encodeValue,
    encodeValue,
    statuses,
    set(encodeValue),
    set(keySpec),
    subcommands,
  ];
  return encodeArray(encoders.slice(0, entry.length).map((encode, field) => encode(entry[field])));
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function encodeStatus(value: unknown): string {
  return `+${String(value)}\r\n`;
}

function encodeValue(value: unknown): string {
  return typeof value === 'number' ? `:${value}\r\n` : bulk(String(value));
}

export function encodeArray(items: readonly string[]): string {
  return encodeAll('*', items);
}

function encodeAll(sign: string, items: readonly string[]): string {
  return `${sign}${items.length}\r\n${items.join('')}`;
}
