/**
 * Clients, an upstream, and the nodes that it has connections to: all that a schedule can let happen.
 */
import { encodeCommand } from '../../../src/proxy/wire/encode.ts';
import {
  giveRequest,
  takeRequest,
  type ReplySink,
  type Request,
  type Terms,
} from '../../../src/proxy/wire/request.ts';
import { beginTurn } from '../../../src/proxy/wire/turn.ts';
import { KEYS, doConflict, effectOf, isRead, replyOf, type Client, type Command } from './command.ts';
import type { InMemorySocket } from './in-memory-socket.ts';
import { Ledger, nameOf, shown } from './ledger.ts';
import { ServersUpstream } from './servers-upstream.ts';
import { SlotUpstream } from './slot-upstream.ts';
import { StandIn, type Attempt } from './stand-in.ts';
import type { Model, Tap } from './tapped-node.ts';
import type { Habits } from './habits.ts';
import type { VirtualTime } from './virtual-time.ts';

export class World {
  readonly ledger = new Ledger();
  readonly trace: string[] = [];
  readonly upstream: Model;
  /** Connections that have not ended, and those that the proxy has ended, over which some may have come. */
  standIns: StandIn[] = [];
  /** Whose slot it is, and at which node each key is: nobody else carries it out. */
  owner = 0;
  readonly homes = new Map<string, number>(KEYS.map((key) => [key, 0]));
  readonly #time: VirtualTime;
  readonly #terms: Terms;
  readonly #isTraced: boolean;
  /** Servers carry out what they are asked, each with keys of its own. */
  readonly #isPlain: boolean;
  readonly #bySink = new Map<ReplySink, Command>();
  #connecting: InMemorySocket | undefined;
  /** What a redirection says that is being heard. */
  #redirected: { readonly command: Command | undefined; readonly behind: () => Attempt[] } | undefined;

  constructor(time: VirtualTime, { opTimeoutMs, isPlain }: Habits, isTraced: boolean) {
    this.#isTraced = isTraced;
    this.#time = time;
    this.#terms = { policy: 0, followRedirections: true, opTimeoutMs, hashTags: false };
    const tap: Tap = { opened: (node) => this.#opened(node) };
    this.#isPlain = isPlain;
    this.upstream = isPlain ? new ServersUpstream(tap) : new SlotUpstream(tap);
  }

  /** Of whom the next one told to be opened is. */
  connecting(socket: InMemorySocket): void {
    this.#connecting = socket;
  }

  note(what: () => string): void {
    if (this.#isTraced) this.trace.push(`${this.#time.now} ${what()}`);
  }

  #opened(node: number): (request: Request | null, text: string) => void {
    const standIn = new StandIn(node, this.#connecting!);
    this.standIns.push(standIn);
    return (request, text) => {
      const words = text.split('\r\n').filter((_, index) => index > 0 && index % 2 === 0);
      const command = request === null ? undefined : this.#commandOf(request.sink!);
      if (command !== undefined && !isOf(words, command))
        throw new Error(`sent for ${nameOf(command)}: ${text}`);
      const redirected = command !== undefined && this.#redirected?.command === command;
      const behind = redirected ? this.#redirected!.behind() : [];
      if (command !== undefined) {
        command.isTriedAgain ||= command.sendings > (redirected ? 1 : 0);
        command.sendings += 1;
      }
      standIn.sent.push({ command, text, words, effect: effectOf(words), behind, isCarriedOut: false });
      this.note(
        () => `  node ${node} is sent ${shown(words)}${command === undefined ? '' : ` (#${command.number})`}`,
      );
    };
  }

  #commandOf(sink: ReplySink): Command {
    const command = this.#bySink.get(sink);
    if (command !== undefined) return command;
    return this.#commandOf(sink.asker!);
  }

  send(client: Client, asked: readonly string[]): void {
    beginTurn();
    const [first = 0, ...others] = [...effectOf(asked).keys()].map((key) => this.upstream.placeOfKey(key));
    // Of keys of several servers it would go in parts, or be refused.
    const words = others.every((other) => other === first) ? asked : ['SET', KEYS[0], 'alone'];
    const [key = ''] = effectOf(words).keys();
    const command = this.ledger.asked(client, words);
    this.note(() => `client ${client.name} asks #${command.number} ${shown(words)}`);
    const sink: ReplySink = {
      asker: client.sink,
      get isGone() {
        return client.isGone;
      },
      deliver: (request, bytes, start, end) => {
        const reply = Buffer.from(bytes.subarray(start, end)).toString('latin1');
        this.note(() => `  #${command.number} is told ${reply.trim().replaceAll('\r\n', ' ')}`);
        this.ledger.answered(command, reply);
        giveRequest(request);
      },
    };
    this.#bySink.set(sink, command);
    const request = takeRequest();
    const label = Number(isRead(words));
    Object.assign(request, {
      terms: this.#terms,
      startedAt: Math.trunc(this.#time.now),
      sink,
      label,
      place: this.upstream.placeOfKey(key),
    });
    const bytes = encodeCommand(...words);
    this.upstream.send(request, bytes, 0, bytes.length);
  }

  /** It has all keys, and nobody has carried out what can't be behind it. */
  mayCarryOut(node: number, attempt: Attempt): boolean {
    if (attempt.behind.some(({ isCarriedOut }) => isCarriedOut)) return false;
    return this.#isPlain || [...attempt.effect.keys()].every((key) => this.homes.get(key) === node);
  }

  /** Of the command that it takes next. */
  bringKeys({ node, sent }: StandIn): void {
    const keys = [...(sent[0]?.effect.keys() ?? [])];
    for (const key of keys) this.homes.set(key, node);
    this.note(() => `node ${node} has ${keys.join(', ')} now`);
  }

  /** What a node says that can't do it. */
  refusal(node: number, { effect }: Attempt): string {
    const homes = [...effect.keys()].map((key) => this.homes.get(key)!);
    if (homes.includes(node) && homes.some((home) => home !== node)) return 'TRYAGAIN';
    if (node !== this.owner) return `MOVED ${this.owner}`;
    const elsewhere = homes.find((home) => home !== node);
    return elsewhere === undefined ? 'READONLY' : `ASK ${elsewhere}`;
  }

  carryOut(standIn: StandIn, attempt: Attempt): void {
    attempt.isCarriedOut = true;
    const at = this.ledger.carriedOut(attempt.command!, attempt.effect, this.#isPlain ? standIn.node : 0);
    this.note(
      () => `node ${standIn.node} carries out ${shown(attempt.words)} (#${attempt.command!.number}, ${at})`,
    );
    standIn.said.push({ text: replyOf(attempt.words, at), to: attempt });
  }

  /** The proxy hears the oldest of what it has said. */
  hear(standIn: StandIn): void {
    const reply = standIn.said.shift();
    if (reply === undefined) return;
    const { to, text } = reply;
    this.note(
      () => `node ${standIn.node} is heard: ${text.trim().replaceAll('\r\n', ' ')} (#${to.command?.number})`,
    );
    const isRedirection = /^-(?:MOVED|ASK)/.test(text);
    const { command, effect } = to;
    // Looked for when it is followed: with its first byte the node is no longer silent, and gets what has waited for that.
    const behind = (): Attempt[] =>
      [...standIn.said.map((other) => other.to), ...standIn.sent].filter(
        (other) =>
          other.command !== undefined &&
          other.command.client === command?.client &&
          !isRead(other.words) &&
          doConflict(other.effect, effect),
      );
    this.#redirected = isRedirection ? { command, behind } : undefined;
    standIn.socket.say(text);
    this.#redirected = undefined;
    this.#forgetEnded();
  }

  cut(standIn: StandIn, problem?: Error): void {
    // Nothing comes any more of what has not.
    standIn.socket.written = '';
    standIn.socket.cut(problem);
    this.#forgetEnded();
  }

  /** The proxy gives it up. */
  giveUp(node: number): void {
    this.upstream.all[node]!.close('it was replaced');
    this.#forgetEnded();
  }

  tick(ms: number): void {
    this.#time.advance(ms);
    beginTurn();
    this.upstream.tick(this.#time.now, false);
    this.#forgetEnded();
  }

  endTurn(): void {
    this.#time.endTurn();
    this.#forgetEnded();
  }

  #forgetEnded(): void {
    this.standIns = this.standIns.filter(({ socket, isAsked }) => !socket.isEnded || isAsked);
  }

  /** Nothing may be left. */
  violations(): string[] {
    const waiting = this.ledger.unanswered.map((command) => `${nameOf(command)} is not answered`);
    const idle = waiting.length > 0 || this.upstream.isIdle ? [] : ['the upstream is not idle'];
    return [...waiting, ...idle, ...this.ledger.violations()];
  }
}

/** It, or a part of it. */
function isOf(words: readonly string[], { words: whole }: Command): boolean {
  const [name = '', ...rest] = words;
  if (name === whole[0]) return words.join() === whole.join();
  return name === whole[0]!.toLowerCase() && rest.every((word) => whole.includes(word));
}
