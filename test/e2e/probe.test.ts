/** When the control plane asks hosts, and how long it waits for them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';

import { startControlPlane, type ControlPlane } from '../../src/commands/control-plane.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { allowFor } from './busy-machine.ts';
import { documents, redisService, serviceObjects } from './objects.ts';

const INFO = '# Server\r\nredis_mode:cluster\r\n';
const LOCAL = { host: '127.0.0.1', port: 0 };

interface Host {
  readonly port: number;
  readonly connections: () => number;
}

/** A host that says after this time that it is a Redis Cluster; undefined: that never answers. */
async function startHost(t: TestContext, afterMs: number | undefined): Promise<Host> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => {});
    socket.on('data', () => {
      if (afterMs !== undefined) setTimeout(() => socket.write(`$${INFO.length}\r\n${INFO}\r\n`), afterMs);
    });
    t.after(() => socket.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

/** With one bare object that routes to the host. */
async function start(t: TestContext, host: Host, probe: boolean, adminPort = 0): Promise<ControlPlane> {
  const folder = await temporaryFolder('bare');
  t.after(() => removeFolder(folder));
  const objects = [
    redisService({ name: 'bare' }),
    ...serviceObjects({ name: 'bare', port: 6379, endpoints: [host.port] }),
  ];
  await writeFile(join(folder, 'bare.yaml'), documents(...objects));
  const controlPlane = await startControlPlane({
    configPaths: [folder],
    xdsAddress: LOCAL,
    adminAddress: { host: '127.0.0.1', port: adminPort },
    bindAddress: '127.0.0.1',
    insecure: false,
    probe,
    log: pino({ level: 'silent' }),
  });
  t.after(() => controlPlane.close());
  return controlPlane;
}

function isModeAssumed(controlPlane: ControlPlane): boolean {
  return controlPlane.diagnostics().some(({ reason }) => reason === 'ModeAssumed');
}

test('nothing is served before a host that answers has said its mode', async (t) => {
  const controlPlane = await start(t, await startHost(t, 200), true);
  assert.equal(isModeAssumed(controlPlane), false);
});

test('a host that never answers keeps nothing from being served', async (t) => {
  const startedAt = Date.now();
  const controlPlane = await start(t, await startHost(t, undefined), true);
  assert.ok(Date.now() - startedAt < allowFor(8_000));
  assert.equal(isModeAssumed(controlPlane), true);
});

test('while hosts are asked the control plane is not ready, and says why', async (t) => {
  const [port = 0] = await freePorts(1);
  const readiness = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
    return `${answer.status} ${await answer.text()}`;
  };
  const starting = start(t, await startHost(t, undefined), true, port);
  await eventually('a word on the hosts', async () =>
    (await readiness()).startsWith('503 Redis hosts are being asked') ? true : undefined,
  );
  await starting;
  assert.match(await readiness(), /^200 /);
});

test('without probing no host is connected to', async (t) => {
  const host = await startHost(t, 0);
  const controlPlane = await start(t, host, false);
  assert.equal(isModeAssumed(controlPlane), true);
  // A server of our own that comes after proves that a connection would have been seen by now.
  await (await fetch(`http://${controlPlane.adminAddress}/healthz`)).text();
  assert.equal(host.connections(), 0);
});
