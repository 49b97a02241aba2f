/** Several hosts behind one Envoy, each on a free port of its own. */
import type { Redis } from 'ioredis';

import { freePorts } from '../../src/demo/child-process.ts';
import type { EnvoyProcess } from '../../src/demo/envoy-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { hostObjects, type HostObjects } from './objects.ts';
import { answerOf, connect, startSidecar, type Ending, type Sidecar } from './sidecar.ts';

export type Host = Omit<HostObjects, 'port'> & { readonly unguarded?: boolean };

export interface Hosts {
  readonly sidecar: Sidecar;
  readonly port: (name: string) => number;
  /** A connection of its own. */
  readonly client: (name: string) => Redis;
  /** The objects of a host, as they are now or as they are to be. */
  readonly objects: (name: string, changes?: Partial<Host>) => string;
}

/** Ready when every listener is open. `more`: further objects, by file name. */
export async function startHosts(
  t: Ending,
  envoy: string,
  hosts: readonly Host[],
  more: Readonly<Record<string, string>> = {},
): Promise<Hosts> {
  const ports = await freePorts(hosts.length);
  const port = (name: string): number => ports[hosts.findIndex((host) => host.name === name)] ?? 0;
  const objects = (name: string, changes: Partial<Host> = {}): string => {
    const host = hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    const { unguarded = false, ...rest } = { ...host, ...changes };
    const annotations = { ...rest.annotations, ...(unguarded ? { guards: 'off' } : {}) };
    return hostObjects({ mode: 'PROXY', ...rest, port: port(name), annotations });
  };
  const files = { ...more, ...Object.fromEntries(hosts.map(({ name }) => [`${name}.yaml`, objects(name)])) };
  const sidecar = await startSidecar(t, { envoy, files });
  await eventually('all listeners', async () => {
    const { listener_statuses: statuses = [] } = JSON.parse(
      await sidecar.envoy.admin('/listeners?format=json'),
    ) as { listener_statuses?: unknown[] };
    return statuses.length === hosts.length ? true : undefined;
  });
  return {
    sidecar,
    port,
    client: (name) => connect(t, port(name), { enableReadyCheck: false, maxRetriesPerRequest: 0 }),
    objects,
  };
}

/** So long an answer may take on a busy machine. */
const ANSWER_LIMIT_MS = 30_000;

/** MULTI, a command, EXEC: the answers, or the texts of errors; `no answer` where there is none in time. */
export async function transaction(
  client: Redis,
  { limitMs = ANSWER_LIMIT_MS, key = 'key' } = {},
): Promise<readonly unknown[]> {
  const answers: unknown[] = [];
  for (const [name, ...args] of [['MULTI'], ['SET', key, 'value'], ['EXEC']] as [string, ...string[]][]) {
    answers.push(await answerOf(withLimit(client.call(name, ...args), limitMs)));
  }
  return answers;
}

async function withLimit(command: Promise<unknown>, limitMs: number): Promise<unknown> {
  return await Promise.race([
    command,
    new Promise((_, reject) => {
      setTimeout(() => reject(new Error('no answer')), limitMs).unref();
    }),
  ]);
}

/** Tries it until Envoy is gone. */
export async function untilEnvoyEnds(envoy: EnvoyProcess, attempt: () => Promise<unknown>): Promise<void> {
  await eventually('the end of Envoy', async () => {
    if (envoy.process.isRunning()) await attempt();
    return envoy.process.isRunning() ? undefined : true;
  });
}
