/**
 * COMMAND: what the servers say of the commands that are carried out here; cluster clients read there where keys are. Where
 * no server says anything it is our own table.
 */
import { handOn } from '../wire/reply-sink.ts';
import type { CommandEntry } from '../../redis/command-spec.ts';
import { allCommands, commandByName, KIND, type Command } from '../../redis/command-table.ts';
import { foreignCommand } from '../../redis/foreign-command.ts';
import { isKeyword } from '../../redis/keys.ts';
import { bulk, encodeInteger } from '../wire/encode.ts';
import { encodeArray, encodeEntry } from './command-entries.ts';
import type { ForeignCommands } from '../upstream/foreign-commands.ts';
import type { Session } from '../client/session.ts';

/** Who asks for what is longer is told by Redis that it is none. */
const LONGEST_NAME = 1_024;
/** Who asks for more at once than any server has asks Redis alone: here each name that is unknown is looked for everywhere. */
const MOST_NAMES = 1_024;

/** The client waits until the servers have been asked. False: one of them shall answer it itself. */
export function tellCommands(session: Session, command: Command, args: readonly string[]): boolean {
  const [subcommand = '', ...rest] = args;
  // Texts, keys, mistakes, and a selection by what is not known here: not of what is carried out here.
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
  const known = await knownTo(servers);
  const encode = (entry: CommandEntry): string => encodeEntry(entry, protocol);
  if (names.length > 0) {
    const nothing = protocol === 3 ? '_\r\n' : '$-1\r\n';
    const asked = await Promise.all(names.map((name) => entryNamed(name.toLowerCase(), known, servers)));
    return Buffer.from(encodeArray(asked.map((entry) => (entry === undefined ? nothing : encode(entry)))));
  }
  const all = [...known.values()].filter(isCarriedOut);
  switch (subcommand.toUpperCase()) {
    case 'COUNT':
      return encodeInteger(all.length);
    case 'LIST':
      return Buffer.from(encodeArray(all.flatMap(namesOf).map(bulk)));
    default:
      return Buffer.from(encodeArray(all.map(encode)));
  }
}

/** By their names, each as the first server has it that says something of it. */
async function knownTo(servers: readonly ForeignCommands[]): Promise<ReadonlyMap<string, CommandEntry>> {
  const said = await Promise.all(servers.map((server) => server.all()));
  // Of one that does not say what it knows we go by what we know.
  const entries = said.flatMap((each) => (each.length === 0 ? OURS : each));
  const byName = new Map<string, CommandEntry>();
  for (const entry of entries.length === 0 ? OURS : entries) {
    const name = entry[0].toLowerCase();
    if (!byName.has(name)) byName.set(name, entry);
  }
  return byName;
}

async function entryNamed(
  name: string,
  known: ReadonlyMap<string, CommandEntry>,
  servers: readonly ForeignCommands[],
): Promise<CommandEntry | undefined> {
  const [, , , , , , , , , subcommands = []] = known.get(name.split('|', 1)[0]!) ?? [];
  const entry = known.get(name) ?? subcommands.find(([each]) => each.toLowerCase() === name);
  if (entry !== undefined || commandByName(name) !== undefined) return entry;
  // A renamed one, or of a module that has come since.
  const findings = await Promise.all(
    servers.map(async (server) => server.find(name) ?? (await server.learn(name))),
  );
  for (const finding of findings)
    if (typeof finding === 'object' && 'command' in finding) return ownEntry(finding.command);
  return undefined;
}

function isCarriedOut(entry: CommandEntry): boolean {
  const name = entry[0].toLowerCase();
  const ours = commandByName(name);
  return ours === undefined ? 'command' in foreignCommand(name, entry) : ours.kind !== KIND.refused;
}

function namesOf([name, , , , , , , , , subcommands = []]: CommandEntry): readonly string[] {
  return [name, ...subcommands.flatMap(namesOf)];
}

/** As far as we know it. */
function ownEntry({ name, arity, kind, isRead, keys, firstKey }: Command): CommandEntry {
  const [key] = keys;
  const last = key?.find.kind === 'range' ? key.find.last : 0;
  const step = key === undefined || firstKey === 0 ? 0 : key.find.step;
  const flags = [isRead ? 'readonly' : 'write'];
  // redis-py looks at it to see that PUBLISH has no key.
  if (kind === KIND.pubsub || name.endsWith('publish')) flags.push('pubsub');
  if (kind === KIND.blocking) flags.push('blocking');
  if (firstKey === 0 && keys.length > 0) flags.push('movablekeys');
  const lastKey = firstKey === 0 ? 0 : last < 0 ? last : firstKey + last;
  return [name, arity, flags, firstKey, lastKey, step, [], [], [], []];
}

const OURS = allCommands().map(ownEntry);
