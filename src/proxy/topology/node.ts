/**
 * One Redis server as the proxy sees it: its connections by kind, and whether it may be asked.
 */
import { addressOf } from '../../api/host-port.ts';
import { Clue } from '../../sources/observations/clue.ts';
import { IdleConnections } from './idle-connections.ts';
import { Connection } from '../wire/connection.ts';
import type { ConnectionOwner, PushHearer, ReplyWatch } from '../wire/connection-owner.ts';
import { LATENCY_NUMBERS } from '../wire/latency.ts';
import { endOnceAnswered } from '../wire/handshake-refused.ts';
import { mayBeAbsence } from '../../redis/absence.ts';
import { encodeCommand, encodeError } from '../wire/encode.ts';
import { KINDS, READONLY, SAY_READONLY, TRACKED, handshakeOf } from './handshake.ts';
import type { NodeOptions } from './node-options.ts';
import { pushesTo } from './pushes.ts';
import { addUp, type Role, type RoleCounts } from './role-counts.ts';
import type { Request } from '../wire/request.ts';
import type { SlowLog } from '../wire/slow-log.ts';
import { beginTurn, clock } from '../wire/turn.ts';

const PING = encodeCommand('PING');

const newLatency = (): Float64Array => new Float64Array(LATENCY_NUMBERS);
/** So long there may be an answer over a connection that is left: nobody watches any more whether its node is silent. */
const LEFT_MS = 1_000;
/** As a clue looks for more. */
const NO_ANSWER = 'it does not answer';

/** Of commands that may wait by their nature, and what comes with them: it says nothing of the node. */
const UNTOLD_LATENCY = newLatency();

/** Who decides what happens with a node's requests. */
export interface NodeOwner {
  /** null: nobody wants to know. */
  readonly slow: SlowLog | null;
  readonly invalidations: PushHearer & { readonly isHeard: boolean };
  /** A replica's reply that may be wrong while slots move; true: somebody else is asked. */
  doubted(request: Request, node: Node): boolean;
  refused(request: Request, node: Node, bytes: Uint8Array, start: number, end: number): boolean;
  /** Any other reply came; asked for with `watchOrder`. True: it came too early, and is asked for again. */
  carriedOut(request: Request, node: Node): boolean;
  lost(request: Request, wasSent: boolean, node: Node): void;
  /** Whether it may be asked has changed. */
  changed(node: Node): void;
}

export class Node implements ConnectionOwner, ReplyWatch {
  readonly options: NodeOptions;
  readonly address: string;
  readonly #owner: NodeOwner;
  /** Of single clients, and those of them that have no client now. */
  readonly #own = new Set<Connection>();
  readonly #idle = new IdleConnections({
    gone: (connection) => this.disown(connection),
    isHeard: (kind) => (kind & TRACKED) !== 0 && this.#owner.invalidations.isHeard,
  });
  readonly #connections: (Connection | null)[] = Array.from({ length: KINDS }, () => null);
  /** Kinds whose connection has still to say READONLY. */
  readonly #unsaid = new Set<number>();

  #role: Role;
  /** Before it had its role. */
  #countsBefore: RoleCounts = {};
  /** Since it has its role: commands sent to it the first time. */
  reads = 0;
  writes = 0;
  /** Error replies that were handed on. */
  readonly errors = { read: 0, write: 0 };
  readonly latency = newLatency();

  /** A connection to it failed, and none has been made since. */
  isDead = false;
  /** It has not answered for longer than reads are made to wait. */
  isSilent = false;
  /** Why it is passed by although it answers: loading, its link is down, … */
  unfit: string | undefined;
  /** When it last began to be usable. */
  usableSince = -Infinity;
  /** Asked how it is since its connection was last made. */
  isProbed = false;
  /** As it said when it was last asked, whatever a map says. */
  saysReplica = false;
  /** Some map of its cluster has listed it. */
  isListed = false;
  /** When a redirection named it last. */
  namedAt = -Infinity;
  /** As it says itself. */
  zone: string | undefined;
  /** In our zone. */
  isNear = false;
  /** Why others are better to read from, while there are any; it counts for servers for reads only. */
  doubtful: string | undefined;

  #refusal: string | undefined;
  /** Why there is no connection. */
  #problem: string | undefined;
  readonly #clue: Clue;
  #isDoubted = false;
  #isOrderWatched = false;
  readonly #pushes: PushHearer;

  constructor(options: NodeOptions, owner: NodeOwner) {
    this.options = options;
    this.address = addressOf(options.host, options.port);
    this.#clue = new Clue(options);
    this.#owner = owner;
    this.#pushes = pushesTo(owner, () => this.#leaveTracked());
    // A cluster's map says which are more.
    this.#role = options.isClusterNode ? 'replica' : 'primary';
  }

  get role(): Role {
    return this.#role;
  }

  set role(role: Role) {
    if (role === this.#role) return;
    this.#countsBefore = this.counts();
    this.#role = role;
    this.reads = 0;
    this.writes = 0;
    Object.assign(this.errors, { read: 0, write: 0 });
  }

  counts(): RoleCounts {
    const { role, reads, writes, errors } = this;
    return {
      ...this.#countsBefore,
      [role]: addUp(this.#countsBefore[role], { reads, writes, errors }),
    };
  }

  /** May be sent what only a primary carries out. */
  get isUsable(): boolean {
    return !this.isDead && !this.isSilent && this.unfit === undefined;
  }

  /** Why it does not let us in, in its own words; commands get there nevertheless, and its answer is the client's. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  set refusal(why: string | undefined) {
    const isOver = why === undefined && this.#refusal !== undefined;
    this.#refusal = why;
    if (isOver) this.#loginAnew();
  }

  /** Over a connection that was not let in it would go on refusing everything. */
  #loginAnew(): void {
    for (const [kind, connection] of this.#connections.entries()) {
      if (connection?.isLockedOut === true) this.#leave(kind, 'another one is let in');
    }
  }

  /** Nobody is told over them what has changed. False: some are waited for, and watched until then: their node may be silent. */
  closeTracked(): boolean {
    const isAsked = this.#connections.map((each, kind) => (kind & TRACKED) !== 0 && (each?.pending ?? 0) > 0);
    for (const [kind, isWaitedFor] of isAsked.entries())
      if ((kind & TRACKED) !== 0 && !isWaitedFor) this.#leave(kind, 'no longer needed');
    return !isAsked.includes(true);
  }

  #leaveTracked(): void {
    for (const kind of this.#connections.keys())
      if ((kind & TRACKED) !== 0) this.#leave(kind, 'it does not track');
  }

  /** What is sent from now on goes over another one. */
  #leave(kind: number, problem: string): void {
    const connection = this.#connections[kind];
    if (connection === null || connection === undefined) return;
    this.#connections[kind] = null;
    this.#own.add(connection);
    endOnceAnswered(connection, problem, performance.now() + LEFT_MS);
  }

  /** That nothing has changed is known only over connections that are still there. */
  askTracked(): void {
    for (const [kind, connection] of this.#connections.entries()) {
      if ((kind & TRACKED) !== 0 && connection?.pending === 0) connection.append(null, PING, 0, PING.length);
    }
    this.#idle.ask(TRACKED, PING);
  }

  /** What it says to whoever asks it now, where it was not asked for that. */
  get refusing(): Buffer | undefined {
    return !this.isDead && this.unfit?.startsWith('BUSY ') === true ? encodeError(this.unfit) : undefined;
  }

  /** In words: why it gets less than others, if it does. */
  get state(): string {
    if (this.isDead) {
      return this.#problem === undefined
        ? 'no connection'
        : `no connection: ${this.#clue.about(this.#problem)}`;
    }
    if (this.isSilent) return this.#clue.about(NO_ANSWER);
    if (this.unfit !== undefined) return this.unfit;
    if (this.refusal !== undefined) return `does not let the proxy in: ${this.refusal}`;
    return this.isProbed ? (this.doubtful ?? 'fit') : 'not asked yet';
  }

  connection(kind: number): Connection {
    const existing = this.#connections[kind];
    if (existing !== null && existing !== undefined) return existing;
    const kindNow = this.kindNow(kind);
    const connection = this.#open(kindNow, this, this.latency);
    if (kindNow === kind) this.#unsaid.delete(kind);
    else this.#unsaid.add(kind);
    connection.watch = this.#watch;
    connection.isRemembered = true;
    this.#connections[kind] = connection;
    return connection;
  }

  /**
   * As which kind a connection begins. An old map may name as primary what is a replica by now, and came back empty: until it is
   * asked READONLY is not said, so that it answers MOVED.
   */
  kindNow(kind: number): number {
    const mayBeRead = this.isProbed && this.unfit === undefined;
    return mayBeRead || !this.options.isClusterNode ? kind : kind & ~READONLY;
  }

  /** On the same connections, or what clients send next would overtake what they have sent. */
  #sayReadonly(): void {
    beginTurn();
    for (const kind of this.#unsaid)
      this.#connections[kind]?.append(null, SAY_READONLY, 0, SAY_READONLY.length);
    this.#unsaid.clear();
  }

  /** For one client alone, until it is disowned; not among those that are watched. */
  ownConnection(kind: number, owner: ConnectionOwner): Connection {
    const idle = this.#idle.take(kind, owner);
    if (idle !== undefined) return idle;
    const connection = this.#open(kind, owner, UNTOLD_LATENCY);
    // What it does not have is not looked for elsewhere: it may wait, which is nothing for a connection of others.
    if (this.#owner.slow !== null) connection.watch = { sees: (request) => this.#isSlow(request) };
    this.#own.add(connection);
    return connection;
  }

  disown(connection: Connection): void {
    this.#own.delete(connection);
  }

  /** For the next client, as it has come back from one. */
  keep(connection: Connection, kind: number): void {
    this.#idle.keep(connection, kind);
  }

  #open(kind: number, owner: ConnectionOwner, latency: Float64Array): Connection {
    const pushes = (kind & TRACKED) === 0 ? null : this.#pushes;
    return new Connection(
      { ...this.options, handshake: handshakeOf(kind, this.options), latency, pushes },
      owner,
    );
  }

  /** Whether its word counts for keys that it does not have. */
  doubt(isDoubted: boolean): void {
    if (isDoubted === this.#isDoubted) return;
    this.#isDoubted = isDoubted;
    for (const connection of this.connections()) connection.watch = this.#watch;
  }

  /** Whether its owner is told of what was carried out. */
  watchOrder(isWatched: boolean): void {
    this.#isOrderWatched = isWatched;
    for (const connection of this.connections()) connection.watch = this.#watch;
  }

  get #watch(): this | null {
    return this.#isDoubted || this.#isOrderWatched || this.#owner.slow !== null ? this : null;
  }

  sees(request: Request, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#isDoubted && request.isRead && mayBeAbsence(bytes, start, end)) {
      if (this.#owner.doubted(request, this)) return true;
    }
    if (this.#isOrderWatched && this.#owner.carriedOut(request, this)) return true;
    return this.#isSlow(request);
  }

  /** Noted if it is, and always handed on. */
  #isSlow(request: Request): false {
    const { slow } = this.#owner;
    if (slow !== null && clock.now - request.startedAt >= slow.thresholdMs) slow.note(request, this.address);
    return false;
  }

  /** Those that are there. */
  *connections(): Iterable<Connection> {
    for (const connection of this.#connections) if (connection !== null) yield connection;
  }

  /** Something that it was asked is not answered. */
  get isWaitedFor(): boolean {
    return [...this.connections(), ...this.#own].some(({ pending }) => pending > 0);
  }

  /** Sets what is given; tells the owner where that changes whether the node may be asked. */
  update(state: {
    readonly isDead?: boolean;
    readonly isSilent?: boolean;
    readonly unfit?: string | undefined;
    readonly isProbed?: boolean;
    readonly isNear?: boolean;
    readonly doubtful?: string | undefined;
  }): void {
    const before = this.#summary();
    const wasUsable = this.isUsable;
    const wasDoubtful = this.doubtful !== undefined;
    Object.assign(this, state);
    // Whoever takes one then would have to find out by itself.
    if (state.isDead === true || state.isSilent === true) this.#idle.closeAll();
    if (state.isProbed === true) this.#clue.answered();
    if (state.isSilent === true && this.options.tls !== undefined) void this.#clue.look(NO_ANSWER);
    if (this.isUsable && !wasUsable) this.usableSince = performance.now();
    if (wasDoubtful && this.doubtful === undefined) this.#unsayReadonly();
    // Before its owner sends more there.
    if (this.#unsaid.size > 0 && this.kindNow(READONLY) === READONLY) this.#sayReadonly();
    if (this.#summary() !== before) {
      this.#owner.changed(this);
      // Others are read from now, and what it has to say may not come.
      if (this.isUsable !== wasUsable || (this.doubtful !== undefined) !== wasDoubtful)
        this.#owner.invalidations.lost();
    }
    if (state.isDead === true) this.#giveUpUnopened();
  }

  /** It was refused, and would not be now. */
  #unsayReadonly(): void {
    for (const [kind, connection] of this.#connections.entries())
      if (connection !== null && this.options.isClusterNode && (kind & READONLY) !== 0)
        this.#unsaid.add(kind);
  }

  /** What they lead to may have started anew by then, and they would say READONLY there. */
  #giveUpUnopened(): void {
    for (const [kind, connection] of this.#connections.entries()) {
      const isOpening = connection !== null && !connection.isOpen;
      if (isOpening && (kind & READONLY) !== 0 && !this.#unsaid.has(kind))
        connection.destroy(this.#problem ?? 'another connection to it was lost');
    }
  }

  #summary(): string {
    const { isDead, isSilent, unfit, isProbed, isNear, doubtful } = this;
    return `${isDead} ${isSilent} ${unfit} ${isProbed} ${isNear} ${doubtful}`;
  }

  /** Gives it up: what it says later counts for nobody, but for those who wait as long as it takes. */
  close(problem: string): void {
    for (const connection of [...this.connections(), ...this.#own]) connection.giveUp(problem);
  }

  /** Somebody else has found so. */
  notReached(problem: string): void {
    this.#problem = problem;
    void this.#clue.look(problem);
    this.update({ isDead: true, isProbed: false });
  }

  opened(): void {
    if (this.isDead) this.update({ isDead: false });
  }

  loginRefused(why: string): void {
    this.refusal = why;
  }

  heard(): void {
    if (this.isSilent) this.update({ isSilent: false });
  }

  refused(request: Request, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#owner.refused(request, this, bytes, start, end)) return true;
    this.errors[request.isRead ? 'read' : 'write'] += 1;
    return false;
  }

  lost(request: Request, wasSent: boolean): void {
    // Marked first, so that a retry looks elsewhere.
    if (!this.isDead) this.update({ isDead: true, isProbed: false });
    this.#owner.lost(request, wasSent, this);
  }

  closed(connection: Connection, problem: string): void {
    if (this.#own.delete(connection)) return;
    const kind = this.#connections.indexOf(connection);
    if (kind >= 0) this.#connections[kind] = null;
    this.notReached(problem);
  }
}
