/**
 * COMMAND: from our own table and what only the servers know; cluster clients read there where keys are.
 */
import { handOn } from '../wire/reply-sink.ts';
import { allCommands, commandByName, KIND, type Command } from '../../redis/command-table.ts';
import { isKeyword } from '../../redis/keys.ts';
import { encodeInteger } from '../wire/encode.ts';
import type { ForeignCommands } from '../upstream/foreign-commands.ts';
import type { Session } from '../client/session.ts';

/** Who asks for what is longer is told by Redis that it is none. */
const LONGEST_NAME = 1_024;
/** Who asks for more at once than any server has asks Redis alone: here each name that is unknown is looked for everywhere. */
const MOST_NAMES = 1_024;

/** The client waits until the servers have been asked. False: one of them shall answer it itself. */
export function tellCommands(session: Session, command: Command, args: readonly string[]): boolean {
  const [subcommand = '', ...rest] = args;
  // Texts, keys, mistakes, and a selection by what is not in our table: not of what is carried out here.
  const isOfAll = /^(?:COUNT|LIST)?$/i.test(subcommand) && rest.length === 0;
  if (!isOfAll && !isKeyword(subcommand, 'INFO')) return false;
  if (rest.length > MOST_NAMES || rest.some(({ length }) => length > LONGEST_NAME)) return false;
  void answerLater(session, command, args);
  return true;
}

async function answerLater(session: Session, command: Command, args: readonly string[]): Promise<void> {
  const request = session.newRequest(command);
  const free = session.hold();
  const servers = session.home.routing.upstreams.map(({ foreign }) => foreign);
  const reply = await replyTo(args, servers, session.local.protocol);
  handOn(request.sink!, request, reply);
  free();
}

async function replyTo(
  args: readonly string[],
  servers: readonly ForeignCommands[],
  protocol: 2 | 3,
): Promise<Buffer> {
  const [subcommand = '', ...names] = args;
  if (names.length > 0) {
    const nothing = protocol === 3 ? '_\r\n' : '$-1\r\n';
    const asked = await Promise.all(names.map((name) => commandNamed(name, servers)));
    const entries = asked.map((command) =>
      command === undefined ? nothing : encodeEntry(command, protocol),
    );
    return Buffer.from(encodeArray(entries));
  }
  const all = await carriedOut(servers);
  switch (subcommand.toUpperCase()) {
    case 'COUNT':
      return encodeInteger(all.length);
    case 'LIST':
      return Buffer.from(encodeArray(all.map(({ name }) => bulk(name))));
    default:
      return Buffer.from(encodeArray(all.map((command) => encodeEntry(command, protocol))));
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

function encodeEntry({ name, arity, kind, isRead, keys, firstKey }: Command, protocol: 2 | 3): string {
  const set = (items: readonly string[]): string =>
    `${protocol === 3 ? '~' : '*'}${items.length}\r\n${items.join('')}`;
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
    set(flags),
    `:${firstKey}\r\n`,
    `:${firstKey === 0 ? 0 : last < 0 ? last : firstKey + last}\r\n`,
    `:${step}\r\n`,
    set([]),
    set([]),
    set([]),
    set([]),
  ]);
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

function encodeArray(items: readonly string[]): string {
  return `*${items.length}\r\n${items.join('')}`;
}
