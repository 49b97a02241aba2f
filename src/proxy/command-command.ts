/**
 * COMMAND: from our own table; cluster clients read there where keys are.
 */
import { allCommands, commandByName, KIND, type Command } from '../redis/command-table.ts';
import { encodeError, encodeInteger } from './encode.ts';

export function answerCommand(args: readonly string[]): Buffer {
  const [subcommand, ...names] = args;
  switch (subcommand?.toUpperCase()) {
    case undefined:
      return Buffer.from(encodeArray(carriedOut().map(encodeEntry)));
    case 'COUNT':
      return encodeInteger(carriedOut().length);
    case 'LIST':
      return Buffer.from(encodeArray(carriedOut().map(({ name }) => bulk(name))));
    case 'INFO': {
      const asked = names.length === 0 ? carriedOut() : names.map(commandByName);
      const entries = asked.map((command) => (command === undefined ? '*-1\r\n' : encodeEntry(command)));
      return Buffer.from(encodeArray(entries));
    }
    case 'DOCS':
      return Buffer.from('*0\r\n');
    default:
      return encodeError(`ERR unknown subcommand '${subcommand}'. Try COMMAND HELP.`);
  }
}

function carriedOut(): readonly Command[] {
  return allCommands().filter(({ kind }) => kind !== KIND.refused);
}

function encodeEntry({ name, arity, isRead, keys, firstKey }: Command): string {
  const [key] = keys;
  const last = key?.find.kind === 'range' ? key.find.last : 0;
  const step = key === undefined || firstKey === 0 ? 0 : key.find.step;
  const flags = [isRead ? '+readonly\r\n' : '+write\r\n'];
  if (firstKey === 0 && keys.length > 0) flags.push('+movablekeys\r\n');
  return encodeArray([
    bulk(name),
    `:${arity}\r\n`,
    encodeArray(flags),
    `:${firstKey}\r\n`,
    `:${firstKey === 0 ? 0 : last < 0 ? last : firstKey + last}\r\n`,
    `:${step}\r\n`,
    encodeArray([]),
    encodeArray([]),
    encodeArray([]),
    encodeArray([]),
  ]);
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function encodeArray(items: readonly string[]): string {
  return `*${items.length}\r\n${items.join('')}`;
}
