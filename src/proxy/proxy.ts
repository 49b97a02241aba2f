/**
 * The data plane in TypeScript: listens as a RoutingPlan says and carries it out; a new plan takes the place of the old
 * one without closing a connection.
 */
import type { Logger } from 'pino';

import type { ReadPolicy } from '../api/objects.ts';
import type {
  Listener,
  ListenerId,
  RoutingPlan,
  SocketAddress,
  Upstream as UpstreamPlan,
  UpstreamId,
} from '../plan/routing-plan.ts';
import { contextProblem } from '../tls/context-problem.ts';
import { learnToShare } from './wire/accept.ts';
import { ClusterUpstream } from './upstream/cluster-upstream.ts';
import { ClientCount, type ClientLimits } from './client/client-count.ts';
import type { ListenerTls } from './listener-tls.ts';
import { Listeners } from './listeners.ts';
import { Listening } from './listening.ts';
import { onlyCopies } from './only-copies.ts';
import { onlyReplicas } from './only-replicas.ts';
import { LOGIN_REMEDY } from './topology/login-log.ts';
import { ReadsUpstream } from './upstream/reads-upstream.ts';
import { Routing } from './client/routing.ts';
import { ShardedUpstream } from './upstream/sharded-upstream.ts';
import { SlowLog } from './wire/slow-log.ts';
import { learnToWrite } from './wire/socket-writer.ts';
import { beginTurn } from './wire/turn.ts';
import { expireUnfinished } from './client/unfinished.ts';
import { UnavailableUpstream } from './upstream/unavailable-upstream.ts';
import { knowsProbes } from './wire/socket.ts';
import { withoutEffect } from './without-effect.ts';
import type { UpstreamStatus } from './upstream/upstream-status.ts';
import type { UpstreamSettings } from './upstream/upstream-settings.ts';
import type { Upstream } from './upstream/upstream.ts';

const TICK_MS = 50;
const LATE_MS = 3 * TICK_MS;

export interface ProxyOptions extends Omit<UpstreamSettings, 'slow'>, ClientLimits {
  /** Towards clients; undefined: in the clear. */
  readonly tls?: ListenerTls | undefined;
  /** At the end: how long clients may wait for what they have asked. */
  readonly drainMs: number;
  /** Commands whose client waited so long are logged; undefined: none. */
  readonly logSlowerThanMs?: number | undefined;
  readonly log: Logger;
}

/** By listener: why it could not be listened on. */
export class ListenProblems extends Error {
  static readonly REMEDY =
    'end what has the address, or give the listener another one (redpilot.dev/listen, --bind)';
  readonly problems: ReadonlyMap<ListenerId, string>;

  constructor(problems: ReadonlyMap<ListenerId, string>) {
    super([...problems.values()].join('; '));
    this.problems = problems;
  }
}

export interface ListenerStatus {
  readonly id: ListenerId;
  /** With the port that was taken where 0 was asked for; undefined: it does not listen. */
  readonly address: string | undefined;
  readonly readPolicy: ReadPolicy;
  /** Why it is not where it should be, or refuses every command; undefined: nothing is wrong. */
  readonly problem: string | undefined;
}

interface Running {
  readonly plan: UpstreamPlan;
  readonly upstream: Upstream;
}

export class Proxy {
  readonly #options: ProxyOptions;
  readonly clientCount: ClientCount;
  readonly #slow: SlowLog | undefined;
  #upstreams = new Map<UpstreamId, Running>();
  /** No longer in the plan, but not done yet. */
  readonly #retired = new Set<Upstream>();
  readonly #listeners: Listeners;
  readonly #ticker: NodeJS.Timeout;
  #lastTick = performance.now();
  #wasLate = false;
  #afterReading: NodeJS.Immediate | undefined;
  #hasPlan = false;
  /** Every upstream of a former plan knew where to send what. One that came later and does not costs its own commands. */
  #hasTopologies = false;
  #onlyCopies: ReadonlySet<UpstreamId> = new Set();
  /** Of plans, one after the other: two at a time would listen on the same address. */
  #lastTurn: Promise<void> = Promise.resolve();
  #isClosed = false;
  #drained: Promise<void> | undefined;
  /** What was said of objects, once each. */
  #said: ReadonlySet<string> = new Set();

  private constructor(options: ProxyOptions) {
    this.#options = options;
    const { logSlowerThanMs, log } = options;
    this.#slow = logSlowerThanMs === undefined ? undefined : new SlowLog(log, logSlowerThanMs);
    this.clientCount = new ClientCount(options, log);
    this.#listeners = new Listeners({
      open: (bind, routing) => this.#open(bind, routing),
      routing: (listener) => this.#routing(listener),
      drainMs: options.drainMs,
      log,
    });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  static async create(options: ProxyOptions): Promise<Proxy> {
    const [canShare, canShorten] = await Promise.all([learnToShare(), learnToWrite()]);
    if (!canShorten)
      options.log.warn('sockets can not be written to past their streams in this Node: slower');
    if (!canShare) options.log.warn('accepted sockets can not share a buffer in this Node: slower');
    return new Proxy(options);
  }

  /**
   * What is missing; undefined when it listens everywhere, and every upstream that is asked anything knows, or did once, where
   * to send what.
   */
  notReady(): string | undefined {
    if (!this.#hasPlan) return 'no plan yet';
    for (const [id, problem] of this.#listeners.problems()) return `${id} does not listen: ${problem}`;
    for (const [id, { upstream }] of this.#upstreams) {
      if (this.#onlyCopies.has(id)) continue;
      const { isReady, problem, refusal } = upstream;
      const why = problem === undefined ? '' : `: ${problem}`;
      if (!isReady && !this.#hasTopologies) return `the topology of ${id} is not known yet${why}`;
      if (refusal !== undefined)
        return `no server of ${id} lets the proxy in (${refusal.replace(/\.$/, '')}); ${LOGIN_REMEDY}`;
    }
    return undefined;
  }

  /** undefined: not looked at. */
  get slowCommands(): number | undefined {
    return this.#slow?.count;
  }

  get clients(): number {
    return this.clientCount.count;
  }

  /** Of some listener. */
  get hasCommandStats(): boolean {
    return [...this.#listeners.all()].some(({ routing }) => routing.listener.commandStats);
  }

  /** What listens where, and who answers reads there. */
  listeners(): readonly ListenerStatus[] {
    const problems = this.#listeners.problems();
    const there = Array.from(this.#listeners.all(), ({ address, routing: { listener } }) => {
      const { id, readPolicy, clientAuth } = listener;
      const closed = clientAuth.kind === 'unavailable' ? clientAuth.why : undefined;
      return { id, address, readPolicy, problem: problems.get(id) ?? closed };
    });
    const missing = Array.from(this.#listeners.missing(), ({ listener: { id, readPolicy } }) => {
      return { id, address: undefined, readPolicy, problem: problems.get(id) };
    });
    return [...there, ...missing.filter(({ id }) => there.every((other) => other.id !== id))];
  }

  /** Each upstream, its nodes and what is wrong with them. */
  status(): readonly (UpstreamStatus & { readonly id: UpstreamId })[] {
    return [...this.#upstreams].map(([id, { upstream }]) => ({ id, ...upstream.status() }));
  }

  /** Where it listens, by the plan's address. */
  addresses(): ReadonlyMap<string, string> {
    return this.#listeners.addresses();
  }

  /**
   * Carries out another plan from the next command on; what is the same object in both goes on undisturbed. Fails, after
   * all else is done, with what could not be listened on (ListenProblems); such a listener stays where it was.
   */
  update(plan: RoutingPlan): Promise<void> {
    return this.#inTurn(() => this.#carryOut(plan));
  }

  #inTurn(then: () => Promise<void>): Promise<void> {
    const turn = this.#lastTurn.then(then);
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }

  async #carryOut(plan: RoutingPlan): Promise<void> {
    if (this.#isClosed) return;
    const before = this.#upstreams;
    this.#hasTopologies ||=
      this.#hasPlan &&
      [...before].every(([id, { upstream }]) => upstream.isReady || this.#onlyCopies.has(id));
    this.#onlyCopies = onlyCopies(plan);
    this.#upstreams = new Map(
      [...plan.upstreams].map(([id, upstreamPlan]) => {
        const known = before.get(id);
        if (known?.plan === upstreamPlan) return [id, known];
        if (known?.upstream.follow(upstreamPlan) === true)
          return [id, { plan: upstreamPlan, upstream: known.upstream }];
        const upstream = this.#createUpstream(upstreamPlan);
        if (known !== undefined) upstream.succeed(known.upstream);
        return [id, { plan: upstreamPlan, upstream }];
      }),
    );
    const needReplicas = onlyReplicas(plan);
    for (const [id, { upstream }] of this.#upstreams) upstream.needsReplicas = needReplicas.has(id);
    const problems = await this.#listeners.update(plan.listeners);
    for (const [id, { upstream }] of before) {
      if (this.#upstreams.get(id)?.upstream !== upstream) this.#retired.add(upstream);
    }
    this.#hasPlan = true;
    this.#tell(plan);
    if (problems.size > 0) throw new ListenProblems(problems);
  }

  /** Stops accepting, answers what was asked: nothing is counted any more. */
  drain(): Promise<void> {
    this.#isClosed = true;
    return (this.#drained ??= this.#inTurn(() => this.#listeners.close()));
  }

  /** Drains it, and ends. */
  async close(): Promise<void> {
    await this.drain();
    clearInterval(this.#ticker);
    clearImmediate(this.#afterReading);
    for (const { upstream } of this.#upstreams.values()) upstream.close();
    for (const upstream of this.#retired) upstream.close();
  }

  /** What the plan asks for and does not get here. */
  #tell(plan: RoutingPlan): void {
    const lines = new Set(withoutEffect(plan, { zone: this.#options.zone, knowsProbes }));
    for (const line of lines) if (!this.#said.has(line)) this.#options.log.warn(line);
    this.#said = lines;
  }

  #open(bind: SocketAddress, routing: Routing): Promise<Listening> {
    return Listening.open({
      bind,
      routing,
      clientCount: this.clientCount,
      tls: this.#options.tls,
    });
  }

  #routing(listener: Listener): Routing {
    return new Routing(listener, (id) => this.#upstreams.get(id)?.upstream ?? new UnavailableUpstream());
  }

  #createUpstream(plan: UpstreamPlan): Upstream {
    const { log } = this.#options;
    const problem =
      plan.mode === 'unavailable' || plan.tls === undefined ? undefined : contextProblem(plan.tls);
    if (problem !== undefined) {
      log.error(`${plan.id} can't be reached: ${problem}; write another one`);
      return new UnavailableUpstream(problem);
    }
    const settings: UpstreamSettings = { ...this.#options, slow: this.#slow };
    switch (plan.mode) {
      case 'cluster':
        return new ClusterUpstream(plan, settings, log);
      case 'proxy':
        return new ShardedUpstream(plan, settings, log);
      case 'reads':
        return new ReadsUpstream(plan, settings, log);
      case 'unavailable':
        return new UnavailableUpstream(plan.why);
    }
  }

  #tick(): void {
    const now = performance.now();
    const isLate = now - this.#lastTick > LATE_MS;
    this.#lastTick = now;
    // While we did not listen ourselves, nobody was silent. Where that is always so, what has come is read first.
    const isBehind = isLate && !this.#wasLate;
    this.#wasLate = isLate;
    if (isLate) this.#afterReading = setImmediate(() => this.#look(isBehind));
    else this.#look(false);
  }

  #look(isBehind: boolean): void {
    beginTurn();
    const now = performance.now();
    this.#listeners.tick(now);
    if (!isBehind) expireUnfinished(now);
    for (const { upstream } of this.#upstreams.values()) upstream.tick(now, isBehind);
    for (const upstream of this.#retired) {
      upstream.tick(now, isBehind);
      if (!upstream.isIdle) continue;
      upstream.close();
      this.#retired.delete(upstream);
    }
  }
}
