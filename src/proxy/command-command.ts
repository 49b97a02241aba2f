/**
 * COMMAND: from our own table; cluster clients read there where keys are.
 */
import { allCommands, commandByName, KIND, type Command } from '../redis/command-table.ts';
import { keyArguments } from '../redis/keys.ts';
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
    case 'GETKEYS':
      return keysOf(names);
    case 'DOCS':
      return Buffer.from('*0\r\n');
    default:
      return encodeError(`ERR unknown subcommand '${subcommand}'. Try COMMAND HELP.`);
  }
}

function carriedOut(): readonly Command[] {
  return allCommands().filter(({ kind }) => kind !== KIND.refused);
}

/** redis-py asks it where the table says that keys are movable. */
function keysOf(words: readonly string[]): Buffer {
  const command = commandByName(words[0] ?? '');
  if (command === undefined) return encodeError('ERR Invalid command specified');
  const { arity } = command;
  if (arity < 0 ? words.length < -arity : words.length !== arity) {
    return encodeError('ERR Invalid number of arguments specified for command');
  }
  const keys = keyArguments(command.keys, words.length, (index) => words[index] ?? '');
  if (keys.length === 0) return encodeError('ERR The command has no key arguments');
  return Buffer.from(encodeArray(keys.map((index) => bulk(words[index] ?? ''))), 'latin1');
}

function encodeEntry({ name, arity, kind, isRead, keys, firstKey }: Command): string {
  const [key] = keys;
  const last = key?.find.kind === 'range' ? key.find.last : 0;
  const step = key === undefined || firstKey === 0 ? 0 : key.find.step;
  const flags = [isRead ? '+readonly\r\n' : '+write\r\n'];
  // redis-py looks at it to see that PUBLISH has no key.
  if (kind === KIND.pubsub || name.endsWith('publish')) flags.push('+pubsub\r\n');
  if (kind === KIND.blocking) flags.push('+blocking\r\n');
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
