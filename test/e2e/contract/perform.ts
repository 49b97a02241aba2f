/** Cases carried out, and what was seen of each. */
import { KIND } from '../../../src/redis/command-table.ts';
import type { Arena, Plane, Server } from './arena.ts';
import { SETTINGS, type Case } from './cases.ts';
import type { Match } from './matcher.ts';
import type { Arrival } from './relay.ts';
import { Wire, encode } from './wire.ts';

export interface Outcome {
  readonly reply: string;
  readonly arrivals: readonly Arrival[];
}

const TOGETHER = 24;
/** Each on a connection of its own. */
const APART: ReadonlySet<number> = new Set([
  KIND.local,
  KIND.transaction,
  KIND.blocking,
  KIND.pubsub,
  KIND.refused,
]);

/** All of them, in the order that they may be in; by their ids. */
export async function perform(
  arena: Arena,
  plane: Plane,
  cases: readonly Case[],
): Promise<ReadonlyMap<string, Outcome>> {
  const replies = new Map<string, string>();
  const nameless = new Map<string, readonly Arrival[]>();
  arena.recorder.forget();
  await Promise.all(
    SETTINGS.map(async (_, setting) => {
      const own = cases.filter((each) => each.setting === setting && each.keys.length > 0);
      const pipelined = own.filter(({ command }) => !APART.has(command.kind));
      const wire = await openWire(plane, setting);
      const answers = await wire.ask(pipelined.map(({ words }) => encode(words)));
      wire.close();
      for (const [index, { id }] of pipelined.entries()) replies.set(id, answers[index] ?? '');
    }),
  );
  const apart = cases.filter(({ command, keys }) => keys.length > 0 && APART.has(command.kind));
  for (let from = 0; from < apart.length; from += TOGETHER) {
    await Promise.all(
      apart.slice(from, from + TOGETHER).map(async (each) => {
        replies.set(each.id, await askAlone(plane, each));
      }),
    );
  }
  // Nothing says whose these are but their turn.
  for (const each of cases.filter(({ keys }) => keys.length === 0)) {
    const before = arena.recorder.others().length;
    replies.set(each.id, await askAlone(plane, each));
    const bytes = encode(each.words);
    nameless.set(
      each.id,
      arena.recorder
        .others()
        .slice(before)
        .filter((arrival) => arrival.bytes.toLowerCase() === bytes.toLowerCase()),
    );
  }
  return new Map(
    cases.map(({ id }) => {
      const named = arena.recorder.of(id);
      return [
        id,
        {
          reply: replies.get(id) ?? '',
          arrivals: named.length > 0 ? [...named] : (nameless.get(id) ?? []),
        },
      ];
    }),
  );
}

async function openWire({ host, ports }: Plane, setting: number): Promise<Wire> {
  return await Wire.open(host, ports[setting] ?? 0, SETTINGS[setting]?.protocol === 'RESP3' ? 3 : 2);
}

async function askAlone(plane: Plane, { setting, words }: Case): Promise<string> {
  const wire = await openWire(plane, setting);
  const [reply = ''] = await wire.ask([encode(words)]);
  wire.close();
  return reply;
}

/** What the servers themselves answer, asked where the matcher says. */
export async function askServers(
  servers: readonly Server[],
  cases: readonly (readonly [Case, Match])[],
): Promise<ReadonlyMap<string, string>> {
  const replies = new Map<string, string>();
  await Promise.all(
    servers.map(async ({ name, node }) => {
      for (const protocol of [2, 3] as const) {
        const own = cases.filter(
          ([{ setting }, { nodes }]) =>
            nodes[0] === name && (SETTINGS[setting]?.protocol === 'RESP3' ? 3 : 2) === protocol,
        );
        const wire = await Wire.open('127.0.0.1', node.port, protocol);
        if (name.endsWith('replica')) await wire.ask([encode(['READONLY'])]);
        const pipelined = own.filter(([{ command }]) => !APART.has(command.kind));
        const answers = await wire.ask(pipelined.map(([, { bytes }]) => bytes));
        for (const [index, [{ id }]] of pipelined.entries()) replies.set(id, answers[index] ?? '');
        wire.close();
        for (const [{ id }, { bytes }] of own.filter(([{ command }]) => APART.has(command.kind))) {
          const alone = await Wire.open('127.0.0.1', node.port, protocol);
          if (name.endsWith('replica')) await alone.ask([encode(['READONLY'])]);
          replies.set(id, (await alone.ask([bytes]))[0] ?? '');
          alone.close();
        }
      }
    }),
  );
  return replies;
}
