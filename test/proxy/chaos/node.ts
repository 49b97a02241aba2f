/**
 * A scripted node: takes connections, carries out what comes on them in order, and answers well or badly.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { COMPLETE, REQUEST_LIMITS, RequestFrame } from '../../../src/redis/request-frame.ts';
import { carryOut, isHeldByPause } from './commands.ts';
import { endMoved } from './messages.ts';
import type { Random } from './random.ts';
import { isRemovedLater, unnamed } from './routes.ts';
import { secured } from './secured.ts';
import { Tracked } from './tracked.ts';
import { shown, type ClusterState, type Command, type NodeState, type Talk, type View } from './state.ts';

/** How a node treats what comes; all are chances by command, but for the milliseconds. */
export interface Manners {
  readonly late: number;
  readonly lateMs: number;
  readonly resetBefore: number;
  readonly resetAfter: number;
  readonly inPieces: number;
}

const GOOD_MANNERS: Manners = { late: 0, lateMs: 0, resetBefore: 0, resetAfter: 0, inPieces: 0 };

/** Who waits for an element is looked at so often. */
const BLOCKED_MS = 4;

export class ScriptedNode implements NodeState {
  readonly cluster: ClusterState;
  readonly index: number;
  /** Another one once it has moved. */
  host: string;
  readonly shard: number;
  readonly random: Random;
  /** Open ones, and others of which something is left to do. */
  readonly talks = new Set<Talk>();
  readonly id: string;
  view: View;
  state: 'up' | 'hung' | 'dead' = 'up';
  manners = GOOD_MANNERS;
  refusal: string | undefined;
  isLoading = false;
  isBusy = false;
  isLinkUp = true;
  linkDownAt = 0;
  isPaused = false;
  isZombie = false;
  #isEmpty = false;
  #lag = { ms: 0, since: 0 };
  readonly #tracked = new Tracked(this);
  readonly scripts = new Set<string>();
  primarySince: number;
  readonly readsOf = new Map<string, number>();
  #server: Server | undefined;
  #opened = 0;
  #woken: (() => void)[] = [];

  constructor(cluster: ClusterState, random: Random, index: number, shard: number) {
    this.cluster = cluster;
    this.index = index;
    this.shard = shard;
    this.random = random;
    this.view = cluster.truth;
    this.host = cluster.truth.hosts[index]!;
    this.id = `${String(index).padStart(2, '0')}${'0'.repeat(38)}`;
    this.primarySince = this.#isServing ? 0 : Infinity;
  }

  get name(): string {
    return `${this.cluster.label} ${this.index}`;
  }

  get address(): string {
    return `${this.host}:${this.cluster.port}`;
  }

  get isPrimary(): boolean {
    return this.view.shards[this.shard]!.primary === this.index;
  }

  get #isServing(): boolean {
    return this.isPrimary && this.view.owners.includes(this.shard);
  }

  get isFit(): boolean {
    return this.state === 'up' && !this.isEmpty && !this.isLoading && !this.isBusy && this.isLinkUp;
  }

  /** It stands still until it is so far behind. */
  get lagMs(): number {
    const { ms, since } = this.#lag;
    return Math.min(ms, performance.now() - since);
  }

  set lagMs(ms: number) {
    this.#lag = { ms, since: performance.now() };
    this.#tracked.look();
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  set isEmpty(isEmpty: boolean) {
    this.#isEmpty = isEmpty;
    this.#tracked.changedAll();
  }

  get isAwake(): boolean {
    return this.state === 'up';
  }

  get offset(): number {
    const { ledger } = this.cluster;
    return ledger.offsetAt(performance.now() - (this.isPrimary ? 0 : this.lagMs));
  }

  behaves(manners: Partial<Manners>): void {
    this.manners = { ...GOOD_MANNERS, ...manners };
  }

  hear(view: View): void {
    if (this.state === 'hung' || this.isZombie) return;
    if (view.serial <= this.view.serial) return;
    const wasServing = this.#isServing;
    this.view = view;
    if (!wasServing && this.#isServing) this.primarySince = performance.now();
    endMoved(this);
  }

  async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => void this.#accept(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.cluster.port, this.host, () => resolve());
    });
  }

  /** Stops without a word; its connections are taken, and say nothing. */
  hang(): void {
    this.state = 'hung';
  }

  wake(): void {
    this.state = 'up';
    if (!this.isZombie) this.hear(this.cluster.truth);
    this.#tracked.look();
    const woken = this.#woken;
    this.#woken = [];
    for (const wake of woken) wake();
  }

  die(): void {
    this.state = 'dead';
    this.#server?.close();
    this.#server = undefined;
    this.resetAll();
    this.#woken = [];
    this.#tracked.forget();
    this.scripts.clear();
  }

  async restart(): Promise<void> {
    await this.listen();
    this.primarySince = this.#isServing ? performance.now() : Infinity;
    this.wake();
  }

  resetAll(): void {
    for (const talk of this.talks) this.#cut(talk);
  }

  push(talk: Talk, text: string): void {
    if (this.state === 'up' && !talk.socket.destroyed) this.#answer(talk, text, false);
  }

  touch(key: string): void {
    for (const talk of this.talks) if (talk.watched.has(key)) talk.isTouched = true;
    this.#tracked.changed(key);
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (this.state !== 'dead') this.die();
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Who hangs shakes no hands either. */
  async #accept(carrier: Socket): Promise<void> {
    carrier.on('error', () => {});
    const { secureContext } = this.cluster;
    if (secureContext !== undefined) while (this.state === 'hung') await this.#moment();
    if (this.state === 'dead') carrier.destroy();
    else this.#take(secured(carrier, secureContext), carrier);
  }

  #take(socket: Socket, carrier: Socket): void {
    this.#opened += 1;
    const talk: Talk = {
      name: `${this.name}/${this.#opened}`,
      socket,
      carrier,
      queue: [],
      protocol: 2,
      isReadonly: false,
      isAsking: false,
      queued: undefined,
      isFailed: false,
      watched: new Set(),
      isTouched: false,
      channels: new Set(),
      patterns: new Set(),
      shardChannels: new Set(),
      isTracking: false,
      tracked: new Map(),
      behind: undefined,
      isServing: false,
      isReset: false,
      leaving: undefined,
    };
    this.talks.add(talk);
    socket.on('error', () => {});
    // Whoever has only ended his own direction hears what is carried out of what he has sent.
    socket.allowHalfOpen = true;
    socket.on('end', () => {
      if (!talk.isServing) socket.end();
    });
    socket.on('close', () => {
      if (!talk.isServing) this.talks.delete(talk);
    });
    let bytes: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      let at = 0;
      while (at < bytes.length) {
        const frame = new RequestFrame();
        frame.begin(at);
        if (frame.parse(bytes, bytes.length, REQUEST_LIMITS) !== COMPLETE) break;
        const words = Array.from({ length: frame.count }, (_, index) =>
          bytes.toString('latin1', frame.offsets[2 * index], frame.offsets[2 * index + 1]),
        );
        talk.queue.push({ words: words.map(unnamed), asked: words, arrivedAt: performance.now() });
        this.#checkPrefixes(words);
        at = frame.at;
      }
      bytes = bytes.subarray(at);
      if (!talk.isServing) void this.#serve(talk);
    });
  }

  #checkPrefixes(words: readonly string[]): void {
    const { hasSteadyRoutes, ledger } = this.cluster;
    if (hasSteadyRoutes && words.some(isRemovedLater))
      ledger.violation(`${this.name} got a prefix that is removed: ${shown(words)}`, words.map(unnamed));
  }

  /** Also what came before the other side closed: Redis finds it in the socket when it looks there. */
  async #serve(talk: Talk): Promise<void> {
    talk.isServing = true;
    await this.#carryOutAll(talk);
    talk.isServing = false;
    if (talk.socket.readableEnded) talk.socket.end();
    if (talk.socket.destroyed) this.talks.delete(talk);
  }

  async #carryOutAll(talk: Talk): Promise<void> {
    for (;;) {
      const [command] = talk.queue;
      if (command === undefined) return;
      const { late, lateMs } = this.manners;
      if (late > 0 && this.random.chance(late)) await sleep(1 + this.random.below(lateMs));
      while (this.state === 'hung' || isHeldByPause(this, command)) await this.#moment();
      if (talk.isReset || talk.socket.errored !== null) return;
      const { resetBefore, resetAfter, inPieces } = this.manners;
      talk.queue.shift();
      if (resetBefore > 0 && this.random.chance(resetBefore)) return this.#reset(talk, command, 'before');
      // Answered in the moment in which it is carried out: no message comes before the confirmation of its channel.
      const reply = this.#carryOut(talk, command, false) ?? (await this.#blocked(talk, command));
      if (reply === undefined) return;
      if (resetAfter > 0 && this.random.chance(resetAfter)) return this.#reset(talk, command, 'after');
      this.#answer(talk, reply, inPieces > 0 && this.random.chance(inPieces));
    }
  }

  #carryOut(talk: Talk, command: Command, isBlocked: boolean): string | undefined {
    talk.behind = [];
    const reply = carryOut(this, talk, command, isBlocked);
    const behind = talk.behind.join('');
    talk.behind = undefined;
    return reply === undefined ? undefined : reply + behind;
  }

  /** undefined: nobody waits for it any more. */
  async #blocked(talk: Talk, command: Command): Promise<string | undefined> {
    for (;;) {
      await sleep(BLOCKED_MS);
      if (talk.isReset || talk.socket.destroyed || talk.socket.readableEnded) return undefined;
      const reply = this.state === 'hung' ? undefined : this.#carryOut(talk, command, true);
      if (reply !== undefined) return reply;
    }
  }

  async #moment(): Promise<void> {
    if (this.state !== 'hung') return await sleep(5);
    await new Promise<void>((resolve) => this.#woken.push(resolve));
  }

  #reset(talk: Talk, { words }: Command, when: string): void {
    this.cluster.ledger.count('reset');
    this.cluster.ledger.note(words.join(' ').slice(0, 200), `${talk.name} is reset ${when} ${shown(words)}`);
    this.#cut(talk);
  }

  #cut(talk: Talk): void {
    talk.isReset = true;
    this.talks.delete(talk);
    talk.carrier.resetAndDestroy();
    talk.socket.destroy();
  }

  #answer(talk: Talk, reply: string, inPieces: boolean): void {
    if (talk.leaving === undefined && !inPieces) {
      talk.socket.write(reply, 'latin1');
      return;
    }
    const leaving = this.#send(talk, reply, inPieces ? this.random.between(1, 3) : 0, talk.leaving);
    talk.leaving = leaving;
  }

  async #send(
    { socket }: Talk,
    reply: string,
    cuts: number,
    before: Promise<void> | undefined,
  ): Promise<void> {
    await before;
    let rest = reply;
    for (let cut = 0; cut < cuts && rest.length > 1; cut++) {
      const length = this.random.between(1, rest.length - 1);
      socket.write(rest.slice(0, length), 'latin1');
      rest = rest.slice(length);
      await sleep(this.random.below(8));
    }
    socket.write(rest, 'latin1');
  }
}
