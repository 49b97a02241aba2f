/**
 * Keeps the plans of all RedisServices up to date with the World, planning again only what a change concerns.
 *
 * Every plan records what it asked the World for. A change names the lookup keys that it touched; whatever asked for one
 * of them is planned again, and all else stays the same object.
 */
import { formatDiagnosticLine, type Diagnostic } from '../api/diagnostic.ts';
import type { RedisService } from '../api/objects.ts';
import type { MemberChanges, Members, ModeQuestion, QuestionChanges } from '../world/observation.ts';
import { WorldReader } from '../world/world-reader.ts';
import { objectKey, type LookupKey, type World } from '../world/world.ts';
import { compareAge, oldest } from './age.ts';
import type { Host } from './hosts.ts';
import type { ListenerId } from './routing-plan.ts';
import { reuse } from './same-content.ts';
import { planService, type ServicePlan } from './service-plan.ts';
import { planUpstream, type PlannedUpstream, type UpstreamSource } from './upstream.ts';

interface ServiceCell {
  readonly plan: ServicePlan;
  readonly asked: ReadonlySet<LookupKey>;
  readonly upstreamIds: ReadonlySet<string>;
}

interface UpstreamCell {
  readonly source: UpstreamSource;
  readonly planned: PlannedUpstream;
  readonly asked: ReadonlySet<LookupKey>;
  isStale: boolean;
}

/** A plan that came, went or was made again. */
export interface PlanChange {
  readonly before: ServicePlan | undefined;
  readonly after: ServicePlan | undefined;
}

export class Planner {
  readonly #services = new Map<LookupKey, ServiceCell>();
  readonly #upstreams = new Map<string, UpstreamCell>();
  /** Which RedisServices asked for a key, and which use an upstream. */
  readonly #askers = new Map<LookupKey, Set<LookupKey>>();
  readonly #users = new Map<string, Set<LookupKey>>();
  /** Which hold a listener (`ServicePlan.holds`): several where one can't be put in force as it is, and keeps what it had. */
  readonly #holding = new Map<LookupKey, Set<LookupKey>>();
  /** Which upstreams asked for a key. */
  readonly #upstreamAskers = new Map<LookupKey, Set<string>>();
  #changes = new Map<LookupKey, PlanChange>();
  #questions = new Map<string, ModeQuestion | undefined>();
  #members = new Map<string, Members | undefined>();

  /** The plans in force, by RedisService. */
  plans(): readonly ServicePlan[] {
    return [...this.#services.values()].map(({ plan }) => plan);
  }

  /** What has become of the plans since the last call, by RedisService. */
  takeChanges(): ReadonlyMap<LookupKey, PlanChange> {
    const changes = this.#changes;
    this.#changes = new Map();
    return changes;
  }

  /** What is to say about all of them; what several plans share is said once. */
  diagnostics(): readonly Diagnostic[] {
    const byLine = new Map<string, Diagnostic>();
    for (const { plan } of this.#services.values()) {
      for (const diagnostic of plan.diagnostics) byLine.set(formatDiagnosticLine(diagnostic), diagnostic);
    }
    return [...byLine.values()];
  }

  /** What hosts are to be asked of themselves, as far as that changed since the last call. */
  takeQuestions(): QuestionChanges {
    const questions = this.#questions;
    this.#questions = new Map();
    return questions;
  }

  /** Where the servers of Redis Clusters are, as far as that changed since the last call. */
  takeMembers(): MemberChanges {
    const members = this.#members;
    this.#members = new Map();
    return members;
  }

  /** Follows the World by one change; returns the keys of the RedisServices whose plan was made again. */
  update(world: World, changed: ReadonlySet<LookupKey>): ReadonlySet<LookupKey> {
    const affected = new Set<LookupKey>();
    for (const key of changed) {
      if (key.startsWith('RedisService/')) {
        affected.add(key);
        for (const asker of this.#gaveWay(world, key)) affected.add(asker);
      }
      for (const asker of this.#askers.get(key) ?? []) affected.add(asker);
      for (const id of this.#upstreamAskers.get(key) ?? []) {
        const cell = this.#upstreams.get(id);
        if (cell !== undefined) cell.isStale = true;
      }
    }
    const left = new Set<string>();
    // The oldest first: what one holds concerns younger ones only, so each is planned once.
    let waiting = youngestFirst(world, affected);
    for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
      const before = this.#services.get(key);
      for (const id of before?.upstreamIds ?? []) left.add(id);
      this.#updateService(world, key);
      const concerned = this.#concerned(before?.plan, this.#services.get(key)?.plan).filter(
        (asker) => !affected.has(asker),
      );
      if (concerned.length === 0) continue;
      for (const asker of concerned) affected.add(asker);
      waiting = youngestFirst(world, [...waiting, ...concerned]);
    }
    // Behind all of them: what one leaves and another takes up at once (an object under a new name) is not forgotten.
    for (const id of left) if (!this.#users.has(id)) this.#forget(id);
    return affected;
  }

  #updateService(world: World, key: LookupKey): void {
    const before = this.#services.get(key);
    const object = world.object(key);
    if (object?.kind !== 'RedisService') {
      this.#services.delete(key);
      this.#note(key, before?.plan, undefined);
      this.#reindex(key, before, undefined);
      return;
    }
    const asked = new Set<LookupKey>([objectKey('RedisService', object.namespace, object.name)]);
    const upstreamIds = new Set<string>();
    // Another object of the same name is no later version of the first.
    const previous = before?.plan.service.uid === object.uid ? before?.plan : undefined;
    const byHost = this.#byHost(before?.upstreamIds ?? []);
    const plan = planService(
      new WorldReader(world, asked),
      object,
      (source) => {
        const cell = this.#upstream(world, source, byHost.get(source.host.key) ?? []);
        upstreamIds.add(source.id);
        putFirst(byHost, cell);
        for (const question of cell.asked) asked.add(question);
        return cell.planned;
      },
      (id) => {
        const key = holdingKey(object.namespace, id);
        asked.add(key);
        const holder = oldest(this.#holders(world, key));
        return holder !== undefined && compareAge(holder, object) < 0 ? holder : undefined;
      },
      previous,
    );
    // What a kept plan uses is still in force, and so is what is remembered of it.
    if (plan.isLastGood) for (const { id } of plan.upstreams) upstreamIds.add(id);
    const cell: ServiceCell = { plan, asked, upstreamIds };
    this.#services.set(key, cell);
    this.#note(key, before?.plan, plan);
    this.#reindex(key, before, cell);
  }

  /** Who asked for what a RedisService held that is gone, or is of another age now: also those that were younger than it. */
  #gaveWay(world: World, key: LookupKey): readonly LookupKey[] {
    const plan = this.#services.get(key)?.plan;
    const object = world.object(key);
    if (object?.kind === 'RedisService' && object.createdMs === plan?.service.createdMs) return [];
    return this.#concerned(plan, undefined);
  }

  /** Who asked for a listener that one of the plans holds and the other does not. */
  #concerned(before: ServicePlan | undefined, after: ServicePlan | undefined): readonly LookupKey[] {
    const [old, next] = [heldBy(before), heldBy(after)];
    const changed = [...old, ...next].filter((key) => !(old.has(key) && next.has(key)));
    return changed.flatMap((key) => [...(this.#askers.get(key) ?? [])]);
  }

  #holders(world: World, key: LookupKey): readonly RedisService[] {
    return Array.from(this.#holding.get(key) ?? [], (holder) => world.object(holder)).filter(
      (holder) => holder?.kind === 'RedisService',
    );
  }

  /** Two changes of one plan between two looks are one. */
  #note(key: LookupKey, before: ServicePlan | undefined, after: ServicePlan | undefined): void {
    const earlier = this.#changes.get(key);
    this.#changes.set(key, { before: earlier === undefined ? before : earlier.before, after });
  }

  /** `others`: what the asking service has of the same host already, and had until now. */
  #upstream(world: World, source: UpstreamSource, others: readonly UpstreamCell[]): UpstreamCell {
    const before = this.#upstreams.get(source.id);
    if (before !== undefined && !before.isStale && sameSource(before.source, source)) return before;
    const asked = new Set<LookupKey>();
    const previous = before ?? sameServers(source, others);
    const planned = planUpstream(new WorldReader(world, asked), source, previous?.planned);
    const upstream = reuse(before?.planned.upstream, planned.upstream);
    const question = reuse(before?.planned.question, planned.question);
    if (question !== before?.planned.question) this.#questions.set(source.id, question);
    const members = reuse(before?.planned.members, planned.members);
    if (members !== before?.planned.members) this.#members.set(source.id, members);
    const kept = { ...planned, upstream, question, members };
    const cell: UpstreamCell = { source, planned: kept, asked, isStale: false };
    this.#upstreams.set(source.id, cell);
    moveMember(this.#upstreamAskers, source.id, before?.asked, asked);
    return cell;
  }

  /** Upstreams by their hosts, in the order of their ids. */
  #byHost(ids: Iterable<string>): Map<string, readonly UpstreamCell[]> {
    const byHost = new Map<string, readonly UpstreamCell[]>();
    for (const id of [...ids].reverse()) {
      const cell = this.#upstreams.get(id);
      if (cell !== undefined) putFirst(byHost, cell);
    }
    return byHost;
  }

  #reindex(key: LookupKey, before: ServiceCell | undefined, after: ServiceCell | undefined): void {
    moveMember(this.#askers, key, before?.asked, after?.asked);
    moveMember(this.#users, key, before?.upstreamIds, after?.upstreamIds);
    moveMember(this.#holding, key, heldBy(before?.plan), heldBy(after?.plan));
  }

  #forget(id: string): void {
    const cell = this.#upstreams.get(id);
    if (cell?.planned.question !== undefined) this.#questions.set(id, undefined);
    if (cell?.planned.members !== undefined) this.#members.set(id, undefined);
    moveMember(this.#upstreamAskers, id, cell?.asked, undefined);
    this.#upstreams.delete(id);
  }
}

/** RedisServices of one namespace compete for a listener. */
function holdingKey(namespace: string, id: ListenerId): LookupKey {
  return `holding/${namespace}/${id}`;
}

function heldBy(plan: ServicePlan | undefined): ReadonlySet<LookupKey> {
  return new Set(plan?.holds.map((id) => holdingKey(plan.origin.namespace, id)));
}

/** Those that are gone last. */
function youngestFirst(world: World, keys: Iterable<LookupKey>): LookupKey[] {
  const gone = { createdMs: Number.NEGATIVE_INFINITY, namespace: '' };
  const aged = Array.from(keys, (key) => ({ key, age: world.object(key) ?? { ...gone, name: key } }));
  return aged.sort((a, b) => compareAge(b.age, a.age)).map(({ key }) => key);
}

function putFirst(byHost: Map<string, readonly UpstreamCell[]>, cell: UpstreamCell): void {
  const { key } = cell.source.host;
  const before = byHost.get(key) ?? [];
  if (!before.includes(cell)) byHost.set(key, [cell, ...before]);
}

/** The same host under another id (another port, policy of reads or RedisDestination): its mode and password stay known. */
function sameServers(
  { port, readGroups }: UpstreamSource,
  ofHost: readonly UpstreamCell[],
): UpstreamCell | undefined {
  const cells = ofHost.filter(
    ({ source }) => (source.readGroups === undefined) === (readGroups === undefined),
  );
  return cells.find(({ source }) => source.port === port) ?? cells[0];
}

function sameSource(a: UpstreamSource, b: UpstreamSource): boolean {
  return (
    a.destination === b.destination &&
    sameHost(a.host, b.host) &&
    (a.readGroups?.flat() ?? []).every(({ host }, at) => {
      const other = b.readGroups?.flat()[at];
      return other !== undefined && sameHost(host, other.host);
    })
  );
}

function sameHost(a: Host, b: Host): boolean {
  return a.service === b.service && a.entry === b.entry && a.key === b.key && a.dnsName === b.dnsName;
}

/** Takes a member out of the sets it was in, and puts it into those it belongs to now. */
function moveMember(
  index: Map<string, Set<string>>,
  member: string,
  before: ReadonlySet<string> | undefined,
  after: ReadonlySet<string> | undefined,
): void {
  for (const key of before ?? []) {
    if (after?.has(key)) continue;
    const members = index.get(key);
    members?.delete(member);
    if (members?.size === 0) index.delete(key);
  }
  for (const key of after ?? []) {
    const members = index.get(key);
    if (members === undefined) index.set(key, new Set([member]));
    else members.add(member);
  }
}
