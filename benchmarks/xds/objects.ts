/**
 * The objects of the xDS benchmark: a file for each service, with a listener, its cluster and nothing else; the first is a
 * plain server with endpoints of its own.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { stringify } from 'yaml';

/** Files in the folder are read in the order of their names, so the number has all its digits. */
function fileName(index: number): string {
  return `service-${String(index).padStart(5, '0')}.yaml`;
}

/** The policies that a change swaps. */
const POLICIES = ['REPLICA', 'ANY'] as const;

/** Where listeners begin to listen; nobody opens these ports here. */
const FIRST_PORT = 10_000;

const header = (kind: string, name: string, version = 'redis.aeraki.io/v1alpha1'): object => ({
  apiVersion: version,
  kind,
  metadata: { name, namespace: 'bench' },
});

/** `state`: how often the service has been changed. */
function serviceText(index: number, state: number): string {
  const host = `redis-${index}.example.com`;
  const name = `redis-${index}`;
  const objects = [
    {
      ...header('RedisService', name),
      spec: {
        host: [host],
        settings: { readPolicy: POLICIES[state % 2] },
        redis: [{ route: { host, port: FIRST_PORT + index } }],
      },
    },
    {
      ...header('RedisDestination', name),
      spec: { host, trafficPolicy: { connectionPool: { redis: { mode: 'CLUSTER' } } } },
    },
  ];
  return objects.map((object) => stringify(object)).join('---\n');
}

/** A plain server behind a Service, whose endpoint is another after each change. */
function endpointText(state: number): string {
  const objects = [
    { ...header('RedisService', 'plain'), spec: { host: ['plain'], redis: [{ route: { host: 'plain' } }] } },
    { ...header('Service', 'plain', 'v1'), spec: { ports: [{ name: 'redis', port: 9_999 }] } },
    {
      ...header('RedisDestination', 'plain'),
      spec: { host: 'plain', trafficPolicy: { connectionPool: { redis: { mode: 'PROXY' } } } },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'plain-1', namespace: 'bench', labels: { 'kubernetes.io/service-name': 'plain' } },
      addressType: 'IPv4',
      ports: [{ name: 'redis', port: 6_379 }],
      endpoints: [{ addresses: [`127.1.0.${1 + (state % 2)}`] }],
    },
  ];
  return objects.map((object) => stringify(object)).join('---\n');
}

/** The cluster whose endpoints the folder can change. */
export const PLAIN_CLUSTER = 'plain.bench.svc.cluster.local:9999';

export class ServiceFolder {
  readonly path: string;
  readonly services: number;
  readonly #states: number[];
  #endpointState = 0;

  private constructor(path: string, services: number) {
    this.path = path;
    this.services = services;
    this.#states = Array.from({ length: services }, () => 0);
  }

  static async create(path: string, services: number): Promise<ServiceFolder> {
    await mkdir(path);
    const folder = new ServiceFolder(path, services);
    for (let index = 0; index < services; index += 1)
      await writeFile(join(path, fileName(index)), serviceText(index, 0));
    await writeFile(join(path, 'plain.yaml'), endpointText(0));
    return folder;
  }

  /** Changes the read policy of one service, as an editor does: a new file over the old one. */
  async changeOne(index: number): Promise<void> {
    this.#states[index] = (this.#states[index] ?? 0) + 1;
    await this.#replace(fileName(index), serviceText(index, this.#states[index] ?? 0));
  }

  async changeAll(): Promise<void> {
    for (let index = 0; index < this.services; index += 1) await this.changeOne(index);
  }

  async changeEndpoint(): Promise<void> {
    this.#endpointState += 1;
    await this.#replace('plain.yaml', endpointText(this.#endpointState));
  }

  async #replace(name: string, text: string): Promise<void> {
    const path = join(this.path, name);
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
}
