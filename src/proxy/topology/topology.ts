/**
 * What nodes of a Redis Cluster say of it, read from their replies; no connection is made here.
 */
import { addressOf } from '../../api/host-port.ts';

export interface NodePlace {
  readonly host: string;
  readonly port: number;
}

export interface ShardPlace {
  readonly ranges: readonly (readonly [first: number, last: number])[];
  readonly primary: NodePlace;
  readonly replicas: readonly NodePlace[];
}

export interface Topology {
  readonly shards: readonly ShardPlace[];
  /** How many slots have an owner. */
  readonly covered: number;
  readonly epoch: number;
  /** Of its nodes, as far as they have any: Redis before 4.0 tells none. */
  readonly ids: readonly string[];
  /** Who has said so. */
  readonly toldBy: NodePlace;
}

type SlotsNode = readonly [endpoint: unknown, port: number, id?: string, metadata?: unknown];
type SlotsRange = readonly [first: number, last: number, ...nodes: SlotsNode[]];

/** 0: there is none; a node that speaks TLS only has it where it is asked in the clear. */
export function isPort(port: unknown): boolean {
  return Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 65_535;
}

/** Whether a server has said that: what speaks Redis' protocol need not be a Redis. */
function isRange(said: unknown): said is SlotsRange {
  if (!Array.isArray(said)) return false;
  const [first, last, ...nodes] = said as unknown[];
  return (
    [first, last].every((slot) => Number.isInteger(slot)) &&
    nodes.every((node) => Array.isArray(node) && isPort(node[1]))
  );
}

/** From the replies to CLUSTER SLOTS and CLUSTER INFO; `asked` stands in where a node does not name its host. */
export function parseTopology(slots: unknown, info: unknown, asked: NodePlace): Topology | undefined {
  if (!Array.isArray(slots) || slots.length === 0 || !slots.every(isRange)) return undefined;
  const byPrimary = new Map<
    string,
    { ranges: [number, number][]; primary: NodePlace; replicas: NodePlace[] }
  >();
  let covered = 0;
  for (const [first, last, ...nodes] of slots) {
    const [primary, ...replicas] = nodes.map((node) => placeOf(node, asked));
    if (primary === undefined) return undefined;
    covered += last - first + 1;
    const key = `${primary.host} ${primary.port}`;
    const known = byPrimary.get(key);
    if (known === undefined) byPrimary.set(key, { ranges: [[first, last]], primary, replicas });
    else known.ranges.push([first, last]);
  }
  const epoch = Number(/cluster_current_epoch:(\d+)/.exec(String(info))?.[1] ?? 0);
  const ids = slots
    .flatMap(([, , ...nodes]) => nodes.map(([, , id]) => id))
    .filter((id) => typeof id === 'string');
  return { shards: [...byPrimary.values()], covered, epoch, ids: [...new Set(ids)], toldBy: asked };
}

/** The endpoint may be missing or `?`: then the metadata's ip, else the host that was asked. */
function placeOf([endpoint, port, , metadata]: SlotsNode, asked: NodePlace): NodePlace {
  if (typeof endpoint === 'string' && endpoint !== '' && endpoint !== '?') return { host: endpoint, port };
  const fields = Array.isArray(metadata) ? (metadata as readonly unknown[]) : [];
  const ip = fields[fields.indexOf('ip') + 1];
  return { host: fields.includes('ip') && typeof ip === 'string' && ip !== '' ? ip : asked.host, port };
}

/** Whether two answers may be of one cluster: an address can be that of another one's node meanwhile. */
export function isSameCluster(a: Topology, b: Topology): boolean {
  return a.ids.length === 0 || b.ids.length === 0 || a.ids.some((id) => b.ids.includes(id));
}

/** One that lacks slots, or is older, may not; that of a cluster that was made anew may. */
export function mayReplace(topology: Topology, before: Topology): boolean {
  if (!isSameCluster(topology, before)) return true;
  return topology.covered >= before.covered && topology.epoch >= before.epoch;
}

/** The better of two: more slots, else the newer epoch, else the first. */
export function betterTopology(a: Topology | undefined, b: Topology | undefined): Topology | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.covered !== b.covered) return a.covered > b.covered ? a : b;
  return b.epoch > a.epoch ? b : a;
}

/** The slots that the asked node is moving away or taking in, from its CLUSTER NODES. */
export function parseMigratingSlots(nodes: unknown): readonly number[] {
  const own = String(nodes)
    .split('\n')
    .find((line) => line.split(' ', 3)[2]?.includes('myself'));
  return [...(own ?? '').matchAll(/\[(\d+)-[<>]-/g)].map(([, slot]) => Number(slot));
}

/** Whether CLUSTER NODES lists it, by its address or its name. */
export function isMember(nodes: string, { host, port }: NodePlace): boolean {
  return nodes.split('\n').some((line) => {
    const [address = '', ...names] = (line.split(' ', 2)[1] ?? '').split(',');
    if (!address.includes(`:${port}@`)) return false;
    return address.startsWith(`${host}:${port}@`) || names.includes(host);
  });
}

/** Members by CLUSTER NODES that the map leaves out, by address, and what is said of them (`slave,fail`). */
export function unlisted(
  nodes: string,
  topology: Topology | undefined,
): Readonly<Record<string, string>> | undefined {
  const ids = new Set(topology?.ids);
  if (ids.size === 0) return undefined;
  const others = nodes.split('\n').flatMap((line) => {
    const [id = '', place = '', flags] = line.split(' ');
    if (flags === undefined || ids.has(id)) return [];
    const [, host, port] = /^(.+):(\d+)@/.exec(place) ?? [];
    // Of one without an address there is nothing else.
    return [[host === undefined ? id : addressOf(host, Number(port)), flags] as const];
  });
  return others.length === 0 ? undefined : Object.fromEntries(others);
}

export interface ReplicationInfo {
  readonly role: 'primary' | 'replica';
  readonly isLinkUp: boolean;
  readonly isSyncing: boolean;
  /** Infinity: it has had none since it began to follow its primary. */
  readonly linkDownSeconds: number;
  /** Since the primary was last heard of; it speaks at each write, and at least every `repl-ping-replica-period` (10 s). */
  readonly silentSeconds: number;
  /** Of the stream of writes; and where in it the node is. */
  readonly id: string;
  readonly offset: number;
  /** Which one it was before this node became primary, and the first offset at which both differ. */
  readonly formerId: string;
  readonly formerUntil: number;
}

/** From INFO replication; undefined: it could not be asked. */
export function parseReplication(info: unknown): ReplicationInfo | undefined {
  const text = typeof info === 'string' ? info : '';
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1];
  const role = field('role');
  if (role === undefined) return undefined;
  const downSeconds = field('master_link_down_since_seconds') ?? '0';
  return {
    role: role === 'slave' ? 'replica' : 'primary',
    isLinkUp: field('master_link_status') === 'up',
    isSyncing: field('master_sync_in_progress') === '1',
    linkDownSeconds: downSeconds === '-1' ? Infinity : Number(downSeconds),
    silentSeconds: Number(field('master_last_io_seconds_ago') ?? 0),
    id: field('master_replid') ?? '',
    offset: Number(field(role === 'slave' ? 'slave_repl_offset' : 'master_repl_offset') ?? 0),
    formerId: field('master_replid2') ?? '',
    formerUntil: Number(field('second_repl_offset') ?? -1),
  };
}

/** From INFO server; only Valkey says it (`availability-zone`). */
export function parseZone(info: unknown): string | undefined {
  const text = typeof info === 'string' ? info : '';
  return /^availability_zone:(.+?)\r?$/m.exec(text)?.[1];
}
