/**
 * The control plane: files → World → plans → snapshots → xDS, and what is said about all of it.
 */
import type { BlockList } from 'node:net';

import { Registry } from 'prom-client';
import type { Logger } from 'pino';

import { createBuildMetrics } from '../admin/build-metrics.ts';
import { createAdminServer } from '../admin/admin-server.ts';
import { formatDiagnosticLine, type Diagnostic } from '../api/diagnostic.ts';
import { limitsOf } from '../envoy/limits.ts';
import { viewOfNode } from '../envoy/node-view.ts';
import { resourcesAsJson } from '../envoy/static-configuration.ts';
import { ViewSnapshots, type NodeView } from '../envoy/view-snapshots.ts';
import { tellIdleDestinations } from '../plan/idle-destinations.ts';
import { Planner } from '../plan/planner.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { FIRST_ANSWERS, ModeObserver } from '../sources/observations/observer.ts';
import { Replacements } from '../sources/observations/replacements.ts';
import { NOTHING, type Remembered } from '../sources/kubernetes/memory.ts';
import { watchKubernetes } from '../sources/kubernetes/watch.ts';
import type { StatusInputs, StatusKeeper } from '../status/keeper.ts';
import type { MeshKeeper } from '../mesh/keeper.ts';
import { LastGood } from '../status/last-good.ts';
import { Lease } from '../status/lease.ts';
import type { CertificateFiles } from '../tls/certificate-files.ts';
import type { Generations } from '../world/observation.ts';
import { World, type ObjectChanges } from '../world/world.ts';
import {
  checkMayListen,
  createXdsServer,
  type HostAndPort,
  type NodeStream,
  type SnapshotSource,
  syncStatus,
  type XdsNode,
  type XdsServer,
} from '../xds/index.ts';
import { DiagnosticsLog } from './diagnostics-log.ts';
import { keepMesh } from './keep-mesh.ts';
import { keepStatus } from './keep-status.ts';
import { completeness, viewInCluster, type KubernetesOptions } from './kubernetes.ts';
import { logObjects } from './objects-log.ts';
import { followFiles } from './remembering-files.ts';
import { STOPPING } from './stop-asked.ts';
import { CLUSTER_DOMAIN } from './arguments.ts';

export interface ControlPlaneOptions {
  /** Where the objects are: files, or a cluster. */
  readonly configPaths?: readonly string[];
  /** With files: where what survives a restart is kept; undefined: nothing does. */
  readonly statePath?: string | undefined;
  readonly kubernetes?: KubernetesOptions | undefined;
  readonly xdsAddress: HostAndPort;
  readonly adminAddress: HostAndPort;
  /** Where listeners listen on the nodes' machines. */
  readonly bindAddress: string;
  /** Where annotations may make them listen beyond loopback; undefined: nowhere. */
  readonly allowBind?: BlockList | undefined;
  /** Whom objects reach that do not say so; undefined: everybody. */
  readonly defaultExportTo?: readonly string[] | undefined;
  /** What the full names of Services end with; `cluster.local` where nothing is said. */
  readonly clusterDomain?: string;
  /** Mutual TLS on the xDS port. */
  readonly tls?: CertificateFiles | undefined;
  /** Allows an xDS address beyond loopback without TLS. */
  readonly insecure: boolean;
  /** Mutual TLS on the admin port. */
  readonly adminTls?: CertificateFiles | undefined;
  readonly maxConnectionAgeMs?: number | undefined;
  /** Whether hosts are asked for their mode where no object states it. */
  readonly probe: boolean;
  readonly log: Logger;
}

export interface ControlPlane {
  /** `HOST:PORT`, with the ports that were taken where 0 was asked for. */
  readonly xdsAddress: string;
  readonly adminAddress: string;
  /** Everything that is wrong now, or worth knowing. */
  diagnostics(): readonly Diagnostic[];
  close(): Promise<void>;
}

const LEASE = 'redpilot';

/** Resolves once every source has listed everything and both ports are open; fails with one line. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { log } = options;
  // Before anything is read or asked: the line would stand among those of the log.
  checkMayListen(options.xdsAddress, options);
  const { kubernetes, bindAddress, clusterDomain = CLUSTER_DOMAIN } = options;
  const defaults = { bindAddress, clusterDomain };
  const planner = new Planner();
  const nodes = (): readonly NodeStream[] => xds?.nodes() ?? [];
  const views = new ViewSnapshots(
    () => planner.plans(),
    () => [
      ...nodes().map(({ node }) => viewOf(node)),
      ...(status?.viewsOfOthers ?? []).map((view) => JSON.parse(view) as NodeView),
    ],
  );
  const viewsOfNodes = new WeakMap<XdsNode, NodeView>();
  const listeners = new Set<() => void>();
  const news = new DiagnosticsLog(log);
  const metrics = new Registry();
  let world = World.empty({
    clusterDomain,
    ...completeness(kubernetes),
    withIstio: kubernetes?.istio !== undefined,
    allowBind: options.allowBind,
    defaultExportTo: options.defaultExportTo,
  });
  let ofSource: readonly Diagnostic[] = [];
  /** The sources have told everything once. */
  let hasBegun = false;
  let isComplete = false;
  const lastGood = new LastGood();
  const replacements = new Replacements();
  let xds: XdsServer | undefined;
  const streams = (): ReturnType<XdsServer['streams']> => xds?.streams() ?? [];
  let status: StatusKeeper | undefined;
  let mesh: MeshKeeper | undefined;
  let startMesh: (() => void) | undefined;
  /** Has what survives a restart written down. */
  let remember = (): void => {};
  let notReady = (): string | undefined => 'the objects have not been read yet';

  const diagnostics = (): readonly Diagnostic[] => [
    ...ofSource,
    ...planner.diagnostics(),
    ...limitsOf(planner.plans()),
    ...[...views.diagnostics().values()].flat(),
    ...(mesh?.diagnostics() ?? []),
  ];
  const builds = createBuildMetrics(metrics, diagnostics);
  const tellNews = (): void => {
    news.setAll('view', views.diagnostics());
    if (isComplete) news.tell();
  };
  const follow = (changes: ObjectChanges, found: readonly Diagnostic[]): void => {
    const startedMs = performance.now();
    ofSource = found;
    news.set('source', found);
    if (isComplete) logObjects(log, world, changes);
    const next = world.apply(changes);
    world = next.world;
    const planned = planner.update(world, next.changed);
    const changed = planner.takeChanges();
    if (planned.size > 0) views.update(changed.values());
    for (const [key, { after }] of changed) {
      if (kubernetes !== undefined || options.statePath !== undefined)
        lastGood.follow(world, key.replace('RedisService/', ''), after);
      news.set(`plan ${key}`, after === undefined ? [] : [...after.diagnostics, ...limitsOf([after])]);
    }
    builds.built(performance.now() - startedMs);
    log.debug({ objects: world.size, planned: planned.size }, 'objects changed');
    for (const callback of listeners) callback();
    if (isComplete) remember();
    tellNews();
    observer?.follow(planner.takeQuestions());
    count(replacements.follow(planner.takeMembers(), { compare: hasBegun }));
  };
  const count = (generations: Generations): void => {
    for (const [host, generation] of generations)
      if (generation > 0) log.info({ host, generation }, `all servers of ${host} were replaced`);
    if (generations.size > 0) follow({ set: [], deleted: [], generations }, ofSource);
  };
  const observer = options.probe
    ? new ModeObserver({
        onChange: (observed) => follow({ set: [], deleted: [], observed }, ofSource),
        log,
        metrics,
      })
    : undefined;
  const hosts = (): Pick<Remembered, 'modes' | 'generations'> => ({
    modes: observer?.answers() ?? NOTHING.modes,
    generations: replacements.generations(),
  });
  const onRemembered = ({ modes, generations }: Pick<Remembered, 'modes' | 'generations'>): void => {
    observer?.recall(modes);
    replacements.recall(generations);
    const observed = observer === undefined ? NOTHING.modes : modes;
    follow({ set: [], deleted: [], observed, generations }, ofSource);
  };
  const viewOf = (node: XdsNode): NodeView => {
    let view = viewsOfNodes.get(node);
    if (view === undefined) {
      const asked = viewOfNode(node.metadata, defaults);
      const seen = kubernetes === undefined ? asked : viewInCluster(asked, node.id, log);
      const asWhom = node.isOnlooker ? { isOnlooker: true } : {};
      view = { ...seen, envoyVersion: node.version, ...asWhom };
      viewsOfNodes.set(node, view);
    }
    return view;
  };
  const source: SnapshotSource = {
    snapshotFor: (node) => {
      const { toldAnew } = views;
      const snapshot = views.snapshotFor(viewOf(node));
      if (views.toldAnew > toldAnew) tellNews();
      return snapshot;
    },
    onChange: (callback) => {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
  };

  const opened: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    notReady = () => STOPPING;
    for (const part of opened.reverse()) await part.close();
  };
  try {
    const admin = await createAdminServer({
      address: options.adminAddress,
      notReady: () => notReady(),
      metrics,
      documents: {
        '/config_dump': () => ({
          diagnostics: [...diagnostics(), ...tellIdleDestinations(world)].map(formatDiagnosticLine),
          observations: [...(observer?.answers() ?? [])].map(([host, mode]) => ({ host, mode })),
          nodes: syncStatus(streams()),
          views: views
            .views()
            .map((view) => ({ view, resources: resourcesAsJson(views.planFor(view).plan, String) })),
        }),
        '/debug/syncz': () => syncStatus(streams()),
      },
      tls: options.adminTls && {
        files: options.adminTls,
        onProblem: (problem) => log.warn({ problem }, 'certificate files not usable for the admin'),
      },
    });
    opened.push(admin);
    // Everything is read before the port opens: nothing can be sent before the World is complete.
    if (observer !== undefined) opened.push(observer);
    if (kubernetes === undefined) {
      const files = await followFiles({
        paths: options.configPaths ?? [],
        statePath: options.statePath,
        bad: () => lastGood.objects([]),
        hosts,
        onRemembered,
        onChange: follow,
        log,
      });
      opened.push(files);
      remember = () => files.changed();
      hasBegun = true;
    } else {
      const memoryNamespace = kubernetes.replica.namespace;
      const { replica, istio, namespaces } = kubernetes;
      const withIstio = istio !== undefined;
      const what = { ...kubernetes, withIstio, memoryNamespace, onRemembered };
      const cluster = watchKubernetes({ ...what, onChange: follow, log, metrics });
      opened.push(cluster);
      notReady = () => cluster.waitingFor();
      await cluster.complete;
      hasBegun = true;
      const wake = (): void => {
        status?.wake();
        mesh?.wake();
      };
      const lease = new Lease({ api: cluster.api, ...replica, name: LEASE, onChange: wake, log });
      const inMesh: StatusInputs['inMesh'] = () => {
        if (!withIstio) return () => undefined;
        return mesh?.isSettled === true ? (object) => mesh?.outcomeOf(object) : undefined;
      };
      const learn = (generations: Generations): void => count(replacements.learn(generations));
      const proxies = (): readonly NodeStream[] => nodes().filter(({ node }) => !node.isOnlooker);
      const ofCluster = { cluster, views, viewOf, nodes: proxies, diagnostics, lastGood, hosts, learn };
      const known = { ...ofCluster, lease, inMesh };
      lease.start();
      status = keepStatus({ ...known, replica, log, metrics });
      listeners.add(wake);
      opened.push(status);
      if (istio !== undefined) {
        startMesh = () => {
          const onChange = (): void => {
            news.set('istio', mesh?.diagnostics() ?? []);
            tellNews();
            status?.wake();
          };
          const plans = (): readonly ServicePlan[] => planner.plans();
          const mayWrite = (): boolean => lease.isHeld;
          const inForce = { plans, world: () => world };
          const parts = { cluster, namespaces, controlPlane: replica.namespace, mayWrite, onChange };
          mesh = keepMesh({ settings: istio, ...inForce, ...parts, log, metrics });
          opened.push(mesh);
        };
      }
    }
    notReady = () => 'Redis hosts are being asked whether they are a Redis Cluster';
    // After a restart, too: an assumed mode must not replace the right one that Envoys have from before.
    await observer?.tried(FIRST_ANSWERS);
    isComplete = true;
    remember();
    if (planner.plans().length === 0)
      log.warn('there is no RedisService that can be carried out: no listener is served');
    startMesh?.();
    // Encodes everything before the first nodes wait for it; most of them see all of it.
    if (kubernetes === undefined)
      views.encodeFor({ namespace: undefined, hosts: undefined, bindAddress: options.bindAddress });
    tellNews();
    const { xdsAddress: address, insecure, maxConnectionAgeMs } = options;
    const tls = options.tls && { files: options.tls, clusterDomain };
    const onNode = (): void => status?.wake();
    const how = { address, tls, insecure, maxConnectionAgeMs };
    xds = await createXdsServer({ ...how, log, metrics, source, onNode });
    opened.push(xds);
    notReady = () => undefined;
    return { xdsAddress: xds.address, adminAddress: admin.address, diagnostics, close };
  } catch (error) {
    await close();
    throw error;
  }
}
