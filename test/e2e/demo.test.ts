import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { allowFor } from './busy-machine.ts';
import { needBinaries, needRedis } from './environment.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Demo {
  readonly output: () => string;
  readonly ended: Promise<number | null>;
  readonly sample: string;
  readonly temporary: string;
  signal(signal: NodeJS.Signals): void;
}

/** The demo with a sample and a temporary folder of its own, so that what it leaves behind can be seen. */
async function startDemo(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  edited: (sample: string) => string = (text) => text,
): Promise<Demo> {
  const temporary = await temporaryFolder('demo-test');
  t.after(() => removeFolder(temporary));
  const sample = join(temporary, 'sample.yaml');
  writeFileSync(sample, edited(readFileSync(join(root, 'manifests/samples/read-policy.yaml'), 'utf8')));
  const child = spawn(process.execPath, [join(root, 'src/cli.ts'), 'demo', '--sample', sample, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary, ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  return { output: () => output, ended, sample, temporary, signal: (signal) => child.kill(signal) };
}

function assertNothingLeft({ temporary, sample }: Demo): void {
  assert.deepEqual(
    readdirSync(temporary).map((name) => join(temporary, name)),
    [sample],
  );
  // Envoy names the demo's temporary folder on its command line; Redis writes over its own, but works in that folder.
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const traces = [
      orNothing(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8')),
      orNothing(() => readlinkSync(`/proc/${pid}/cwd`)),
    ].join(' ');
    assert.ok(!traces.includes(temporary), `process ${pid} is still there: ${traces.replaceAll('\0', ' ')}`);
  }
}

/** A process may end while it is looked at. */
function orNothing(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

test('the demo ends by itself with a table in which no read reached a primary and every write did', async (t) => {
  if ((await needBinaries(t)) === undefined) return;
  const demo = await startDemo(t, ['--seconds', '4']);
  assert.equal(await demo.ended, 0, demo.output());
  assert.match(demo.output(), /readPolicy REPLICA/);
  const totals =
    /reads: (\d+) on primaries, (\d+) on replicas; writes: (\d+) on primaries, (\d+) on replicas/.exec(
      demo.output(),
    );
  const [, readsOnPrimaries, readsOnReplicas, writesOnPrimaries, writesOnReplicas] = (totals ?? []).map(
    Number,
  );
  assert.equal(readsOnPrimaries, 0);
  assert.equal(writesOnReplicas, 0);
  // How many they are is the machine's matter; of ten by another policy some were on primaries.
  assert.ok((readsOnReplicas ?? 0) >= 10 && (writesOnPrimaries ?? 0) > 0, demo.output());
  assertNothingLeft(demo);
});

test('an edit of the sample moves the reads and the screen says so; Ctrl-C leaves no process and no file', async (t) => {
  if ((await needBinaries(t)) === undefined) return;
  const demo = await startDemo(t, []);
  await eventually(
    'the first line of counts',
    () => (/^(?:[2-9]|\d\d+) s REPLICA/m.test(demo.output()) ? true : undefined),
    {
      deadlineMs: 40_000,
      seen: demo.output,
    },
  );
  writeFileSync(
    demo.sample,
    readFileSync(demo.sample, 'utf8').replace('readPolicy: REPLICA', 'readPolicy: MASTER'),
  );
  await eventually(
    'the move',
    () => (/reads follow MASTER [\d.]+ s after/.test(demo.output()) ? true : undefined),
    { seen: demo.output },
  );
  const seconds = Number(/reads follow MASTER ([\d.]+) s after/.exec(demo.output())?.[1]);
  assert.ok(seconds * 1_000 <= allowFor(1_000), `${seconds} s`);
  assert.match(demo.output(), /readPolicy REPLICA -> MASTER, in Envoy/);
  demo.signal('SIGINT');
  assert.equal(await demo.ended, 0, demo.output());
  assertNothingLeft(demo);
});

test('the demo runs on the proxy where that is asked for; an edit moves the reads there too', async (t) => {
  if ((await needRedis(t)) === undefined) return;
  const demo = await startDemo(t, ['--data-plane', 'proxy']);
  await eventually(
    'the first line of counts',
    () => (/^(?:[2-9]|\d\d+) s REPLICA/m.test(demo.output()) ? true : undefined),
    { deadlineMs: 40_000, seen: demo.output },
  );
  writeFileSync(
    demo.sample,
    readFileSync(demo.sample, 'utf8').replace('readPolicy: REPLICA', 'readPolicy: MASTER'),
  );
  await eventually(
    'the move',
    () => (/reads follow MASTER [\d.]+ s after/.test(demo.output()) ? true : undefined),
    { seen: demo.output },
  );
  assert.match(demo.output(), /readPolicy REPLICA -> MASTER, in the proxy/);
  demo.signal('SIGINT');
  assert.equal(await demo.ended, 0, demo.output());
  assertNothingLeft(demo);
});

test('a broken sample ends the demo before it starts anything, with the reason', async (t) => {
  const demo = await startDemo(t, [], {}, (text) => text.replace('readPolicy: REPLICA', 'readPolicy: NONE'));
  assert.equal(await demo.ended, 1, demo.output());
  assert.match(demo.output(), /sample\.yaml:\d+:\d+: error InvalidValue: .*is not a read policy/);
  assert.match(demo.output(), /there is no RedisService in it that can be served; mend it/);
  assert.doesNotMatch(demo.output(), /Redis Cluster \(/);
});

test('a Redis that is no cluster ends a demo of running servers at once', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const folder = await temporaryFolder('no-cluster');
  t.after(() => removeFolder(folder));
  const server = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(server));
  const proxy = ['--proxy', '127.0.0.1:1', '--proxy-admin', '127.0.0.1:2'];
  const demo = await startDemo(t, ['--redis', `127.0.0.1:${server.port}`, ...proxy]);
  assert.equal(await demo.ended, 1, demo.output());
  assert.match(
    demo.output(),
    /redpilot: the Redis that --redis names can't be shown: .*cluster support disabled/,
  );
});

test('without an Envoy the demo says what is missing and goes on with the proxy', async (t) => {
  if ((await needRedis(t)) === undefined) return;
  const demo = await startDemo(t, ['--seconds', '2'], { ENVOY_BIN: '/nonexistent/envoy' });
  assert.equal(await demo.ended, 0, demo.output());
  assert.match(demo.output(), /ENVOY_BIN names no executable file.*\n\s+the proxy takes its place/);
  assert.match(demo.output(), /every read went where readPolicy sends it/);
});

test('where Envoy is asked for, the proxy does not take its place', async (t) => {
  const demo = await startDemo(t, ['--data-plane', 'envoy'], { ENVOY_BIN: '/nonexistent/envoy' });
  assert.equal(await demo.ended, 1, demo.output());
  assert.match(demo.output(), /ENVOY_BIN names no executable file/);
});

test('Ctrl-\\ stops the demo as Ctrl-C does, and leaves nothing', async (t) => {
  if ((await needBinaries(t)) === undefined) return;
  const demo = await startDemo(t, []);
  await eventually('servers', () => (demo.output().includes('Envoy on') ? true : undefined), {
    deadlineMs: 40_000,
    seen: demo.output,
  });
  demo.signal('SIGQUIT');
  await demo.ended;
  assertNothingLeft(demo);
});
