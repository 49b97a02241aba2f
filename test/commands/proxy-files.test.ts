import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { pino } from 'pino';

import { followFiles } from '../../src/commands/proxy-files.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { Proxy } from '../../src/proxy/proxy.ts';

const objects = (port: number, policy: string): string => `
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisDestination
metadata: {name: redis, namespace: shop}
spec:
  host: 127.0.0.1
  trafficPolicy: {connectionPool: {redis: {mode: CLUSTER}}}
---
apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata:
  name: redis
  namespace: shop
  annotations: {redpilot.dev/listen: '127.0.0.1:${port}'}
spec:
  host: [127.0.0.1]
  settings: {readPolicy: ${policy}}
  redis:
    - route: {host: 127.0.0.1, port: 1}
`;

test('a listener whose address is taken is told once, by name and with the remedy, however often the objects change', async (t) => {
  const folder = await temporaryFolder('taken');
  t.after(() => removeFolder(folder));
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  const proxy = await Proxy.create({
    hedgeAfterMs: 200,
    failoverWaitMs: 1_000,
    maxClients: 10,
    drainMs: 100,
    log,
  });
  t.after(() => proxy.close());
  const file = join(folder, 'objects.yaml');
  await writeFile(file, objects(port, 'MASTER'));
  const followed = await followFiles(proxy, [folder], { namespace: 'shop' }, log);
  t.after(() => followed.close());
  const told = (what: string): number => lines.filter((line) => line.includes(what)).length;
  const remedy = `does not listen: 127.0.0.1:${port} is in use by another process; it is tried again every second; end what`;
  const seen = (): string => lines.join('');
  await eventually('the line', () => told(remedy) === 1 || undefined, { seen, deadlineMs: 20_000 });
  await writeFile(file, objects(port, 'ANY'));
  await eventually('the change', () => proxy.listeners()[0]?.readPolicy === 'ANY' || undefined, {
    seen,
    deadlineMs: 20_000,
  });
  assert.equal(told('in use by another process'), 1);
  assert.equal(proxy.listeners()[0]?.problem, `127.0.0.1:${port} is in use by another process`);
});
