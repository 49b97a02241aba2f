/** A Redis that speaks TLS, on a port of its own beside the plain one that tests look through. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import type { RedisBinary } from '../../src/demo/binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';
import type { KeyPair } from '../../src/tls/authority.ts';

export interface TlsRedis {
  readonly node: RedisNode;
  readonly tlsPort: number;
}

export interface TlsOptions {
  readonly server: KeyPair;
  /** PEM: whose clients it lets in. */
  readonly authorities: string;
  /** Only clients with a certificate. */
  readonly mutual?: boolean;
  /** A Redis Cluster of this node alone. */
  readonly cluster?: boolean;
}

export async function startTlsRedis(
  t: TestContext,
  redis: RedisBinary,
  options: TlsOptions,
): Promise<TlsRedis> {
  const folder = await temporaryFolder('tls-redis');
  t.after(() => removeFolder(folder));
  const files = {
    'server.crt': options.server.certificate,
    'server.key': options.server.key,
    'ca.crt': options.authorities,
  };
  for (const [name, text] of Object.entries(files))
    await writeFile(join(folder, name), text, { mode: 0o600 });
  const [tlsPort = 0, busPort = 0] = await freePorts(2);
  const node = await startRedis({
    server: redis.server,
    folder,
    ...(options.cluster === true ? { busPort } : {}),
    config: {
      'tls-port': String(tlsPort),
      'tls-cert-file': join(folder, 'server.crt'),
      'tls-key-file': join(folder, 'server.key'),
      'tls-ca-cert-file': join(folder, 'ca.crt'),
      ...(options.cluster === true ? { 'tls-cluster': 'yes', 'cluster-announce-ip': '127.0.0.1' } : {}),
      'tls-auth-clients': options.mutual === true ? 'yes' : 'no',
    },
  });
  t.after(() => stopRedis(node));
  if (options.cluster === true) await node.client.cluster('ADDSLOTSRANGE', 0, 16_383);
  return { node, tlsPort };
}
