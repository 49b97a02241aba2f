/**
 * What happens in a world, action by action: each has a seed of its own, so that a schedule without some of them is one as well.
 */
import { encodeCommand } from '../../../src/proxy/wire/encode.ts';
import { Random } from '../chaos/random.ts';
import { KEYS, anyWords, type Client } from './command.ts';
import { WORDS, habitsOf, type Habits } from './habits.ts';
import { withoutNetwork } from './in-memory-socket.ts';
import { nameOf, shown } from './ledger.ts';
import type { StandIn } from './stand-in.ts';
import { NODES } from './tapped-node.ts';
import { VirtualTime } from './virtual-time.ts';
import { World } from './world.ts';

const PING = encodeCommand('PING');
/** Less than what waits in vain does. */
const REST_MS = 800;
const ROUND_MS = 20;

export type Schedule = readonly number[];

export interface Outcome {
  readonly violations: readonly string[];
  readonly trace: readonly string[];
}

export function scheduleOf(seed: number): Schedule {
  const random = new Random(seed);
  return Array.from({ length: random.between(6, 60) }, () => random.below(2 ** 31));
}

/** The first of it are the habits; `isTraced`: it is told what happens. */
export function carriedThrough(schedule: Schedule, isTraced = false): Outcome {
  return VirtualTime.run((time) => {
    const habits = habitsOf(schedule[0]!);
    const world = new World(time, habits, isTraced);
    return withoutNetwork(
      (socket) => world.connecting(socket),
      () => {
        try {
          const clients = Array.from({ length: habits.clients }, (_, index) => clientOf(index));
          for (const seed of schedule.slice(1)) act(world, habits, clients, new Random(seed));
          bringToRest(world, habits);
          // Nobody waits for what is over.
          world.tick(20);
          for (const client of clients) world.send(client, ['SET', 'k', 'last']);
          const held = world.ledger.commands.filter(
            ({ sendings, words }) => sendings === 0 && words[2] === 'last',
          );
          const needless = held.map((command) => `${nameOf(command)} waits for nobody`);
          bringToRest(world, habits);
          return { violations: [...needless, ...world.violations()], trace: world.trace };
        } catch (error) {
          const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
          return { violations: [why], trace: world.trace };
        } finally {
          world.upstream.close();
        }
      },
    );
  });
}

function clientOf(name: number): Client {
  return { name, isGone: false, sink: { deliver: () => {} } };
}

function act(world: World, habits: Habits, clients: readonly Client[], random: Random): void {
  const standIn = random.pick(world.standIns);
  const asked = random.pick(world.standIns.filter(({ isAsked }) => isAsked));
  const choice = random.below(100);
  if (choice < 25) {
    const client = random.pick(clients.filter(({ isGone }) => !isGone));
    if (client === undefined) return;
    for (let count = random.between(1, 3); count > 0; count--)
      world.send(client, anyWords(random, habits.commands, world.ledger.commands.length + 1));
  } else if (choice < 65) {
    if (asked !== undefined) answer(world, habits, asked, random);
  } else if (choice < 75) {
    const heard = random.pick(world.standIns.filter(({ said }) => said.length > 0));
    if (heard !== undefined) for (let count = random.between(1, 3); count > 0; count--) world.hear(heard);
  } else if (choice < 80) {
    if (standIn !== undefined) change(world, standIn, random);
  } else if (choice < 85) {
    move(world, random);
  } else if (choice < 89) {
    const owner = random.chance(0.7) ? world.owner : random.below(NODES);
    world.note(() => `the map says: node ${owner}`);
    world.upstream.learn(owner, random);
  } else if (choice === 89) {
    const client = random.pick(clients)!;
    world.note(() => `client ${client.name} is gone`);
    client.isGone = true;
  } else if (choice < 94) {
    recover(world, random.below(NODES));
  } else {
    const ms = random.chance(0.8) ? random.between(1, 80) : random.between(100, 1_500);
    world.note(() => `${ms} ms pass`);
    world.tick(ms);
  }
  if (random.chance(habits.turns)) world.endTurn();
  if (!habits.opensAtOnce) return;
  for (const other of world.standIns) if (!other.socket.isOpen && !other.socket.isEnded) open(world, other);
}

/** It opens, or ends. */
function change(world: World, standIn: StandIn, random: Random): void {
  const { node, socket } = standIn;
  if (!socket.isOpen && !socket.isEnded && random.chance(0.7)) return open(world, standIn);
  for (let count = random.below(4); count > 0 && standIn.isAsked; count--) say(world, standIn, undefined);
  for (let count = random.below(4); count > 0 && standIn.said.length > 0; count--) world.hear(standIn);
  if (socket.isEnded) return;
  if (random.chance(0.2)) {
    world.note(() => `node ${node} is given up`);
    return world.giveUp(node);
  }
  if (random.chance(0.3)) while (standIn.isAsked) say(world, standIn, undefined);
  world.note(() => `the connection to node ${node} is cut`);
  world.cut(standIn, random.chance(0.5) ? new Error('read ECONNRESET') : undefined);
}

function open(world: World, { node, socket }: StandIn): void {
  world.note(() => `a connection to node ${node} is open`);
  socket.open();
}

function answer(
  world: World,
  { refusing, refusals, coming }: Habits,
  standIn: StandIn,
  random: Random,
): void {
  for (let count = random.between(1, 3); count > 0 && standIn.isAsked; count--) {
    const word = random.chance(refusing) ? random.pick(refusals)! : undefined;
    if (word === undefined && random.chance(coming)) world.bringKeys(standIn);
    const isRedirection = word === 'MOVED' || word === 'ASK';
    say(world, standIn, isRedirection ? `${word} ${random.below(NODES)}` : word);
  }
  if (random.chance(0.7)) while (standIn.said.length > 0) world.hear(standIn);
}

/** `word`: of a refusal; undefined: what is true. */
function say(world: World, standIn: StandIn, word: string | undefined): void {
  const attempt = standIn.take();
  if (attempt === undefined) return;
  if (attempt.command === undefined) {
    standIn.said.push({ text: '+OK\r\n', to: attempt });
    say(world, standIn, word);
    return;
  }
  if (word === undefined && world.mayCarryOut(standIn.node, attempt)) return world.carryOut(standIn, attempt);
  const said = word ?? world.refusal(standIn.node, attempt);
  const [kind, node] = said.split(' ');
  world.note(
    () => `node ${standIn.node} says ${said} to ${shown(attempt.words)} (#${attempt.command?.number})`,
  );
  const text = WORDS[said] ?? `-${kind} 0 127.0.0.1:${1 + Number(node)}\r\n`;
  standIn.said.push({ text, to: attempt });
}

function move(world: World, random: Random): void {
  const node = random.below(NODES);
  if (random.chance(0.4)) {
    world.owner = node;
    for (const key of KEYS) world.homes.set(key, node);
    world.note(() => `node ${node} has the slot`);
  } else {
    const key = random.pick(KEYS)!;
    world.homes.set(key, node);
    world.note(() => `node ${node} has ${key}`);
  }
}

function recover(world: World, index: number): void {
  const node = world.upstream.all[index]!;
  world.note(() => `node ${index} is asked how it is`);
  if (node.isDead || node.isSilent) node.connection(0).append(null, PING, 0, PING.length);
  else node.update({ unfit: undefined });
}

/** All is well: what waits is carried out, or given up. */
function bringToRest(world: World, habits: Habits): void {
  world.note(() => 'all is well');
  for (const key of KEYS) world.homes.set(key, world.owner);
  for (let ms = 0; ms < REST_MS; ms += ROUND_MS) {
    for (const standIn of world.standIns) {
      if (!standIn.socket.isOpen && !standIn.socket.isEnded) open(world, standIn);
      while (standIn.isAsked) say(world, standIn, undefined);
      while (standIn.said.length > 0) world.hear(standIn);
    }
    world.endTurn();
    if (!habits.isPlain) world.upstream.learn(world.owner, new Random(0));
    if (world.ledger.unanswered.length === 0 && world.upstream.isIdle && world.upstream.isWell) return;
    for (let index = 0; index < NODES; index++) recover(world, index);
    world.tick(ROUND_MS);
  }
}
