import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';

import { Server, ServerCredentials } from '@grpc/grpc-js';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { createAuthority } from '../../src/tls/authority.ts';
import type { CertificateFiles } from '../../src/tls/certificate-files.ts';
import { followXds, type Follower } from '../../src/xds/follow.ts';
import { spiffe, validForSeconds, writeFiles } from '../tls/certificates.ts';
import { Recorder, snapshotOf, type Spec } from './recorder.ts';
import { stage, type Stage } from './surroundings.ts';
import { worldOnly } from './world-only.ts';

const PATIENT = { deadlineMs: 60_000 };
const VARIANTS = ['delta', 'state of the world'] as const;
type Variant = (typeof VARIANTS)[number];

interface Followed {
  readonly receiver: Recorder;
  readonly lines: readonly string[];
  readonly follower: Follower;
}

/** `address` is of a server, `HOST:PORT`. */
async function follow(t: TestContext, address: string, tls?: CertificateFiles): Promise<Followed> {
  const receiver = new Recorder();
  const lines: string[] = [];
  const say = (message: string): void => void lines.push(message);
  const follower = await followXds({
    address: { host: '127.0.0.1', port: Number(address.split(':')[1]) },
    tls,
    node: { id: 'proxy-1', namespace: 'shop' },
    receiver,
    log: { info: say, warn: say },
  });
  t.after(() => follower.close());
  return { receiver, lines, follower };
}

/** A server of that variant alone, before the real one. */
async function only(t: TestContext, variant: Variant, here: Stage): Promise<string> {
  return variant === 'delta' ? here.server.address : await worldOnly(t, here.server.address);
}

async function told(receiver: Recorder, ...expected: readonly string[]): Promise<void> {
  await eventually('all is told', () => (receiver.told.length >= expected.length ? true : undefined), {
    ...PATIENT,
    seen: () => receiver.told.join(', '),
  });
  assert.deepEqual(receiver.told, expected);
  receiver.told.length = 0;
}

const FIRST: Spec = { clusters: { a: 1, E: 1 }, endpoints: { E: 1 }, listeners: { l: 1, m: 1 } };

// At once: many wait for the next attempt to connect.
suite('following a control plane', { concurrency: true }, () => {
  for (const variant of VARIANTS) {
    const everything = (names: string): string => (variant === 'delta' ? '' : names);

    test(`${variant}: clusters, their endpoints, then listeners; each change, removals too`, async (t) => {
      const here = await stage();
      t.after(() => here[Symbol.asyncDispose]());
      here.source.setSnapshot(snapshotOf(FIRST));
      const { receiver } = await follow(t, await only(t, variant, here));
      await told(receiver, 'CDS +E +a', 'EDS +E', 'LDS +l +m');

      here.source.setSnapshot(snapshotOf({ ...FIRST, listeners: { l: 2, m: 1 } }));
      await told(receiver, `LDS +l${everything(' +m')}`);
      here.source.setSnapshot(snapshotOf({ ...FIRST, listeners: { l: 2 } }));
      await told(receiver, `LDS${everything(' +l')} -m`);
      here.source.setSnapshot(snapshotOf({ ...FIRST, endpoints: { E: 2 }, listeners: { l: 2 } }));
      await told(receiver, 'EDS +E');
      await eventually(
        'all is acknowledged',
        () =>
          here.server
            .streams()
            .every(({ sentVersion, acknowledgedVersion }) => sentVersion === acknowledgedVersion)
            ? true
            : undefined,
        PATIENT,
      );
    });

    test(`${variant}: endpoints of a cluster that comes later are asked for, and no longer once it is gone`, async (t) => {
      const here = await stage();
      t.after(() => here[Symbol.asyncDispose]());
      here.source.setSnapshot(
        snapshotOf({ clusters: { a: 1 }, endpoints: { E: 1, F: 1 }, listeners: { l: 1 } }),
      );
      const { receiver } = await follow(t, await only(t, variant, here));
      await told(receiver, 'CDS +a', 'LDS +l');
      here.source.setSnapshot(
        snapshotOf({ clusters: { a: 1, E: 1 }, endpoints: { E: 1, F: 1 }, listeners: { l: 1 } }),
      );
      await told(receiver, `CDS +E${everything(' +a')}`, 'EDS +E');
      here.source.setSnapshot(
        snapshotOf({ clusters: { a: 1, E: 1, F: 1 }, endpoints: { E: 1, F: 1 }, listeners: { l: 1 } }),
      );
      await told(receiver, `CDS${everything(' +E')} +F${everything(' +a')}`, 'EDS +F');
    });

    test(`${variant}: what is refused is told by name, the rest is acknowledged with it`, async (t) => {
      const here = await stage();
      t.after(() => here[Symbol.asyncDispose]());
      here.source.setSnapshot(snapshotOf({ clusters: { a: 1 }, listeners: { l: 1, m: 1 } }));
      const followed = await follow(t, await only(t, variant, here));
      const { receiver, lines, follower } = followed;
      await told(receiver, 'CDS +a', 'LDS +l +m');
      receiver.refused.set('m', 'its port is taken');
      here.source.setSnapshot(snapshotOf({ clusters: { a: 1 }, listeners: { l: 2, m: 2 } }));
      await told(receiver, 'LDS +l +m');
      const rejection = await eventually(
        'the server knows',
        () => here.server.streams().find(({ rejection: why }) => why !== undefined)?.rejection,
        PATIENT,
      );
      assert.equal(rejection, 'm: its port is taken');
      assert.equal(follower.refused, 1);
      assert.ok(
        lines.some((line) => line.includes('m: its port is taken')),
        lines.join('\n'),
      );

      // The server tries again by itself, and the cause is gone.
      receiver.refused.clear();
      here.clock.pass(5_000);
      await told(receiver, `LDS${everything(' +l')} +m`);
      await eventually(
        'all is well',
        () => (here.server.streams().every(({ rejection: why }) => why === undefined) ? true : undefined),
        PATIENT,
      );
    });

    test(`${variant}: a new stream brings what was missed, and nothing that is known`, async (t) => {
      const before = await stage();
      before.source.setSnapshot(snapshotOf(FIRST));
      const { address } = before.server;
      const { receiver, lines, follower } = await follow(t, await only(t, variant, before));
      await told(receiver, 'CDS +E +a', 'EDS +E', 'LDS +l +m');
      await before[Symbol.asyncDispose]();
      const noticed = /^no control plane, and what it said last stays in force \(xDS at/;
      await eventually('it is said', () => lines.find((line) => noticed.test(line)), PATIENT);
      assert.equal(follower.isConnected, false);

      const port = Number(address.split(':')[1]);
      const after = await stage(undefined, { address: { host: '127.0.0.1', port } });
      t.after(() => after[Symbol.asyncDispose]());
      after.source.setSnapshot(snapshotOf({ ...FIRST, listeners: { l: 1, n: 1 } }));
      await eventually('the listeners', () => receiver.told.find((line) => line.startsWith('LDS')), PATIENT);
      // Endpoints are always told anew: their cluster may be waiting for them.
      assert.deepEqual(
        receiver.told.filter((line) => !line.startsWith('EDS')),
        [`LDS${everything(' +l')} +n -m`],
      );
      assert.ok(follower.isConnected);
      assert.equal(lines.filter((line) => line.startsWith('follows')).length, 2, lines.join('\n'));
    });
  }

  test('who has never had a plan says so, and whom it has asked', async (t) => {
    const before = await stage();
    const { address } = before.server;
    await before[Symbol.asyncDispose]();
    const { receiver, lines, follower } = await follow(t, address);
    assert.equal(follower.waitingFor(), `the control plane at ${address} has not answered yet`);
    const noticed = /^no control plane, and nothing is served yet \(xDS at/;
    await eventually('it is said', () => lines.find((line) => noticed.test(line)), PATIENT);
    assert.match(follower.waitingFor() ?? '', /^no control plane \(xDS at .*: nothing listens there; give/);

    const here = await stage(undefined, {
      address: { host: '127.0.0.1', port: Number(address.split(':')[1]) },
    });
    t.after(() => here[Symbol.asyncDispose]());
    await eventually('connected', () => (follower.isConnected ? true : undefined), PATIENT);
    assert.equal(follower.waitingFor(), `the control plane at ${address} has sent no listeners yet`);
    here.source.setSnapshot(snapshotOf({ clusters: { a: 1 }, listeners: { l: 1 } }));
    await told(receiver, 'CDS +a', 'LDS +l');
    await eventually(
      'it has a plan',
      () => (follower.waitingFor() === undefined ? true : undefined),
      PATIENT,
    );
  });

  test('a control plane that has nothing new to say is one nevertheless', async (t) => {
    const before = await stage();
    before.source.setSnapshot(snapshotOf({ clusters: { a: 1 }, listeners: { l: 1 } }));
    const { address } = before.server;
    const { receiver, follower } = await follow(t, address);
    await told(receiver, 'CDS +a', 'LDS +l');
    await before[Symbol.asyncDispose]();
    await eventually('it is noticed', () => (follower.isConnected ? undefined : true), PATIENT);
    const after = await stage(undefined, {
      address: { host: '127.0.0.1', port: Number(address.split(':')[1]) },
    });
    t.after(() => after[Symbol.asyncDispose]());
    after.source.setSnapshot(snapshotOf({ clusters: { a: 1 }, listeners: { l: 1 } }));
    await eventually('connected', () => (follower.isConnected ? true : undefined), PATIENT);
    assert.deepEqual(receiver.told, []);
  });

  test('a connection that the server ends for its age is followed by another, without a word', async (t) => {
    const here = await stage(undefined, { maxConnectionAgeMs: 100_000 });
    t.after(() => here[Symbol.asyncDispose]());
    here.source.setSnapshot(snapshotOf({ clusters: { a: 1 }, listeners: { l: 1 } }));
    const { receiver, lines, follower } = await follow(t, here.server.address);
    await told(receiver, 'CDS +a', 'LDS +l');
    here.clock.pass(120_000);
    const connections = (): number => here.log.filter(({ message }) => message === 'node connected').length;
    await eventually(
      'the second connection',
      () => {
        // The first one is warned some time before its end.
        if (connections() < 2) here.clock.pass(100);
        return connections() === 2 && follower.isConnected ? true : undefined;
      },
      { ...PATIENT, seen: () => JSON.stringify(here.log) },
    );
    assert.deepEqual(lines, [`follows the control plane at ${here.server.address}`]);
  });

  test('a control plane without any xDS is asked again and again, in both variants', async (t) => {
    const server = new Server();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    t.after(() => server.forceShutdown());
    const { lines } = await follow(t, `127.0.0.1:${port}`);
    await eventually(
      'asked twice in the state of the world',
      () => (lines.filter((line) => line.includes('state of the world')).length >= 2 ? true : undefined),
      { ...PATIENT, seen: () => lines.join('\n') },
    );
    assert.equal(lines.filter((line) => line.includes('UNIMPLEMENTED')).length, 1, lines.join('\n'));
  });

  test('nothing at all is told too, so that a node without objects is ready', async (t) => {
    const here = await stage();
    t.after(() => here[Symbol.asyncDispose]());
    here.source.setSnapshot(snapshotOf({}));
    const { receiver } = await follow(t, here.server.address);
    await told(receiver, 'CDS', 'LDS');
  });

  test('who is refused says so once, and goes on asking', async (t) => {
    const here = await stage(undefined, { limits: { streams: 0 } });
    t.after(() => here[Symbol.asyncDispose]());
    const { lines, follower } = await follow(t, here.server.address);
    const refusals = (): number => here.log.filter(({ message }) => message.includes('refused')).length;
    await eventually('three attempts', () => (refusals() >= 3 ? true : undefined), {
      ...PATIENT,
      seen: () => JSON.stringify(here.log),
    });
    assert.deepEqual(lines.filter((line) => line.includes('RESOURCE_EXHAUSTED')).length, 1, lines.join('\n'));
    assert.equal(follower.isConnected, false);
  });

  test('a fault of our own is told each time, and waits longer from one to the next', async (t) => {
    const here = await stage();
    t.after(() => here[Symbol.asyncDispose]());
    here.source.setSnapshot(snapshotOf({ clusters: { a: 1 } }));
    const { receiver, lines } = await follow(t, here.server.address);
    const times: number[] = [];
    receiver.apply = () => {
      times.push(performance.now());
      return Promise.reject(new Error('a fault of ours'));
    };
    const told = (): number => lines.filter((line) => line.includes('a fault of ours')).length;
    await eventually('three of them', () => told() >= 3 || undefined, {
      ...PATIENT,
      seen: () => lines.join(),
    });
    const [first = 0, second = 0, third = 0] = times;
    // Twice as long, with jitter: 800 to 1600 ms, then 1600 to 3200 ms.
    assert.ok(third - second > 1_500, `${second - first} ms, then ${third - second} ms`);
  });

  test('more than 4 MiB in one response are taken', async (t) => {
    const here = await stage();
    t.after(() => here[Symbol.asyncDispose]());
    const names = Array.from({ length: 3_000 }, (_, index) => `${index}`.padStart(1_500, 'c'));
    here.source.setSnapshot(snapshotOf({ clusters: Object.fromEntries(names.map((name) => [name, 1])) }));
    const { receiver } = await follow(t, here.server.address);
    await eventually('told', () => (receiver.told.length === 2 ? true : undefined), PATIENT);
    const [clusters = ''] = receiver.told;
    assert.ok(clusters.length > 4 * 1024 * 1024, `${clusters.length}`);
  });

  test('certificates are read for each connection; those that can not be read at the start are one line', async (t) => {
    const folder = await temporaryFolder('follow');
    t.after(() => removeFolder(folder));
    const authority = await createAuthority(validForSeconds(3_600));
    const server = await authority.issueServer(['127.0.0.1'], validForSeconds(3_600));
    const files = await writeFiles(join(folder, 'server'), authority.certificate, server);
    const tls = { files, clusterDomain: 'cluster.local', everyMs: 5 };
    const client = join(folder, 'client');
    const renew = async (namespace: string): Promise<CertificateFiles> =>
      await writeFiles(
        client,
        authority.certificate,
        await authority.issueClient(spiffe(namespace), validForSeconds(3_600)),
      );
    // Another namespace than the node claims.
    const ofClient = await renew('pay');
    const here = await stage(undefined, { tls });
    t.after(() => here[Symbol.asyncDispose]());
    here.source.setSnapshot(snapshotOf({ clusters: { a: 1 }, listeners: { l: 1 } }));
    const { receiver, lines } = await follow(t, here.server.address, ofClient);
    await eventually('refused', () => lines.find((line) => line.includes('PERMISSION_DENIED')), PATIENT);
    await renew('shop');
    await told(receiver, 'CDS +a', 'LDS +l');

    await writeFile(ofClient.key, 'no key');
    await assert.rejects(follow(t, here.server.address, ofClient), {
      message: `--tls-key ${ofClient.key} is not a private key without a password (PEM); give a file that is`,
    });
  });
});
