/**
 * COMMAND: from our own table and what only the servers know; cluster clients read there where keys are.
 */
import { allCommands, commandByName, KIND, type Command } from '../redis/command-table.ts';
import { keyArguments } from '../redis/keys.ts';
import { encodeError, encodeInteger } from './encode.ts';
import type { ForeignCommands } from './foreign-commands.ts';
import type { Session } from './session.ts';

/** The client waits until the servers have been asked. False: one of them shall answer it itself. */
export function tellCommands(session: Session, command: Command, args: readonly string[]): boolean {
  const subcommand = args[0]?.toUpperCase();
  // Texts, and a selection by what is not in our table.
  if (subcommand === 'DOCS' || (subcommand === 'LIST' && args.length > 1)) return false;
  void answerLater(session, command, args);
  return true;
}

async function answerLater(session: Session, command: Command, args: readonly string[]): Promise<void> {
  const request = session.newRequest(command);
  const free = session.hold();
  const servers = session.home.routing.upstreams.map(({ foreign }) => foreign);
  const nothing = session.local.protocol === 3 ? '_\r\n' : '$-1\r\n';
  const reply = await replyTo(args, servers, nothing);
  request.sink!.deliver(request, reply, 0, reply.length);
  free();
}

/** `nothing` stands for a command that nobody knows. */
async function replyTo(
  args: readonly string[],
  servers: readonly ForeignCommands[],
  nothing: string,
): Promise<Buffer> {
  const [subcommand, ...names] = args;
  switch (subcommand?.toUpperCase()) {
    case undefined:
      return Buffer.from(encodeArray((await carriedOut(servers)).map(encodeEntry)));
    case 'COUNT':
      return encodeInteger((await carriedOut(servers)).length);
    case 'LIST':
      return Buffer.from(encodeArray((await carriedOut(servers)).map(({ name }) => bulk(name))));
    case 'INFO': {
      const asked =
        names.length === 0
          ? await carriedOut(servers)
          : await Promise.all(names.map((name) => commandNamed(name, servers)));
      const entries = asked.map((command) => (command === undefined ? nothing : encodeEntry(command)));
      return Buffer.from(encodeArray(entries));
    }
    case 'GETKEYS':
      return keysOf(await commandNamed(names[0] ?? '', servers), names);
    default:
      return encodeError(`ERR unknown subcommand '${subcommand}'. Try COMMAND HELP.`);
  }
}

/** Those that only servers know come last, each once. */
async function carriedOut(servers: readonly ForeignCommands[]): Promise<readonly Command[]> {
  const ours = allCommands().filter(({ kind }) => kind !== KIND.refused);
  const theirs = (await Promise.all(servers.map((server) => server.all()))).flat();
  return [...ours, ...new Map(theirs.map((command) => [command.name, command])).values()];
}

async function commandNamed(name: string, servers: readonly ForeignCommands[]): Promise<Command | undefined> {
  const ours = commandByName(name);
  if (ours !== undefined) return ours;
  const asked = name.toLowerCase();
  const findings = await Promise.all(
    servers.map(async (server) => server.find(asked) ?? (await server.learn(asked))),
  );
  for (const finding of findings)
    if (typeof finding === 'object' && 'command' in finding) return finding.command;
  return undefined;
}

/** redis-py asks it where the table says that keys are movable. */
function keysOf(command: Command | undefined, words: readonly string[]): Buffer {
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
