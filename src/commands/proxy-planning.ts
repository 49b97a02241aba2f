/**
 * From objects to what a proxy does: plans as the control plane makes them, for a node of its own.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

import { createDiagnosticsGauge } from '../admin/build-metrics.ts';
import { formatDiagnosticLine, type Diagnostic } from '../api/diagnostic.ts';
import { HOSTS, NAMESPACE, viewOfNode } from '../envoy/node-view.ts';
import { Planner } from '../plan/planner.ts';
import { planForView, type View } from '../plan/view.ts';
import { ListenProblems, type Proxy } from '../proxy/proxy.ts';
import { FIRST_ANSWERS, ModeObserver } from '../sources/observations/observer.ts';
import { World, type ObjectChanges, type WorldOptions } from '../world/world.ts';
import { CLUSTER_DOMAIN } from './arguments.ts';
import { DiagnosticsLog } from './diagnostics-log.ts';
import { logObjects } from './objects-log.ts';

const AGAIN = `it is tried again every second; ${ListenProblems.REMEDY}`;

export interface ProxyView {
  /** As a client of which namespace it is served; undefined: of all. */
  readonly namespace?: string | undefined;
  /** Only these; undefined: all that govern the namespace. */
  readonly hosts?: readonly string[] | undefined;
  /** Where its listeners listen. */
  readonly bind?: string | undefined;
  /** Where annotations may make them listen beyond loopback; undefined: nowhere. */
  readonly allowBind?: WorldOptions['allowBind'];
  readonly clusterDomain?: string | undefined;
}

export interface PlanningOptions extends ProxyView, Pick<WorldOptions, 'completeNamespaces'> {
  /** Hosts are asked for their mode. */
  readonly probe: boolean;
  readonly metrics: Registry;
  readonly log: Logger;
}

export class ProxyPlanning {
  readonly #proxy: Pick<Proxy, 'update'>;
  readonly #view: View;
  readonly #log: Logger;
  readonly #planner = new Planner();
  readonly #news: DiagnosticsLog;
  readonly #observer: ModeObserver | undefined;
  #world: World;
  #ofSource: readonly Diagnostic[] = [];
  #ofView: readonly Diagnostic[] = [];
  #isComplete = false;
  /** Some plan had a listener. */
  #hasListened = false;
  /** What was told of listeners that do not listen. */
  #missing: ReadonlySet<string> = new Set();
  /** One plan after the other. */
  #updates: Promise<void> = Promise.resolve();

  constructor(proxy: Pick<Proxy, 'update'>, options: PlanningOptions) {
    const { namespace, hosts, bind = '127.0.0.1', allowBind, clusterDomain = CLUSTER_DOMAIN, log } = options;
    this.#proxy = proxy;
    this.#log = log;
    this.#news = new DiagnosticsLog(log);
    const node = { [NAMESPACE]: namespace, [HOSTS]: hosts };
    this.#view = viewOfNode(node, { bindAddress: bind, clusterDomain });
    const { completeNamespaces, probe, metrics } = options;
    createDiagnosticsGauge(metrics, () => this.#diagnostics());
    this.#world = World.empty({
      allowBind,
      clusterDomain,
      ...(completeNamespaces === undefined ? {} : { completeNamespaces }),
    });
    if (probe) {
      this.#observer = new ModeObserver({
        onChange: (observed) => this.follow({ set: [], deleted: [], observed }, this.#ofSource),
        log,
        metrics,
      });
    }
  }

  /** Carried out from the next command on, once everything has been read. */
  follow(changes: ObjectChanges, ofSource: readonly Diagnostic[]): void {
    this.#ofSource = ofSource;
    if (this.#isComplete) logObjects(this.#log, this.#world, changes);
    const { world, changed } = this.#world.apply(changes);
    this.#world = world;
    const planned = this.#planner.update(world, changed);
    for (const [key, { after }] of this.#planner.takeChanges())
      this.#news.set(`plan ${key}`, after?.diagnostics ?? []);
    this.#news.set('source', ofSource);
    this.#observer?.follow(this.#planner.takeQuestions());
    if (!this.#isComplete) return;
    // Most changes of a cluster are of Services that no object names, and clients wait meanwhile.
    if (planned.size > 0) this.#carryOut();
    else this.#news.tell();
  }

  /** Everything has been read: resolves when the first plan is carried out. */
  async begin(): Promise<void> {
    await this.#observer?.tried(FIRST_ANSWERS);
    this.#isComplete = true;
    this.#carryOut();
    await this.#updates;
  }

  /** A mistake for which nothing listens; undefined: something does, or did once, or nothing is wrong. */
  whyNothing(): string | undefined {
    if (this.#hasListened) return undefined;
    const error = this.#diagnostics().find(({ severity }) => severity === 'error');
    return error && `nothing listens: ${formatDiagnosticLine(error)}`;
  }

  async close(): Promise<void> {
    await this.#observer?.close();
  }

  #diagnostics(): readonly Diagnostic[] {
    return [...this.#ofSource, ...this.#planner.diagnostics(), ...this.#ofView];
  }

  #carryOut(): void {
    const { plan, diagnostics } = planForView(this.#planner.plans(), this.#view);
    this.#ofView = diagnostics;
    this.#hasListened ||= plan.listeners.length > 0;
    this.#news.set('view', diagnostics);
    this.#news.tell();
    this.#updates = this.#updates
      .then(() => this.#proxy.update(plan))
      .then(() => this.#tellMissing(new Map()))
      .catch((error: unknown) => {
        if (error instanceof ListenProblems) this.#tellMissing(error.problems);
        else this.#log.error(error instanceof Error ? error.message : String(error));
      });
  }

  /** Each once, as long as it stays the same; that one listens after all the proxy tells. */
  #tellMissing(problems: ListenProblems['problems']): void {
    const lines = new Set(Array.from(problems, ([id, why]) => `${id} does not listen: ${why}; ${AGAIN}`));
    for (const line of lines) if (!this.#missing.has(line)) this.#log.error(line);
    this.#missing = lines;
  }
}
