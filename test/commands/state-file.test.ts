/**
 * What a control plane that follows files serves after a restart at which something is wrong with them.
 */
import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import type { ControlPlane } from '../../src/commands/control-plane.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { CLUSTER_TYPE, LISTENER_TYPE } from '../../src/envoy/resource.ts';
import { StateFile } from '../../src/sources/files/state.ts';
import {
  documents,
  hostObjects,
  redisDestination,
  redisService,
  secret,
  serviceObjects,
} from '../e2e/objects.ts';
import { resourcesFor } from '../e2e/served.ts';
import { startFromFiles } from './file-control-plane.ts';

const PASSWORD = 'a-very-secret-word';
const IN_OBJECT = 'another-secret-word';

const cache = { name: 'cache', port: 6395, endpoints: [6380], mode: 'CLUSTER' } as const;
const FILES: Readonly<Record<string, string>> = {
  'cache/service.yaml': documents(
    redisService({ name: 'cache', settings: { auth: { secret: { name: 'password' } }, opTimeout: '7s' } }),
  ),
  'cache/rest.yaml': documents(...serviceObjects(cache)),
  'cache/destination.yaml': documents(redisDestination(cache)),
  'secret.yaml': documents(secret('password', { password: PASSWORD })),
  'other.yaml': hostObjects({ name: 'other', port: 6390, endpoints: [6391], mode: 'PROXY' }),
  'plain.yaml': documents(
    redisService({ name: 'plain.localhost', settings: { auth: { plain: { password: IN_OBJECT } } } }),
  ).replace('name: plain.localhost', 'name: plain'),
};

class Serving {
  readonly #folder: string;
  #controlPlane: ControlPlane | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get state(): string {
    return join(this.#folder, 'state.json');
  }

  get objects(): string {
    return join(this.#folder, 'objects');
  }

  async write(file: string, text: string | Uint8Array): Promise<void> {
    const path = join(this.objects, file);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(join(this.#folder, 'new'), text);
    await rename(join(this.#folder, 'new'), path);
  }

  async start(): Promise<ControlPlane> {
    this.#controlPlane = await startFromFiles(this.objects, this.state);
    return this.#controlPlane;
  }

  async stop(): Promise<void> {
    await this.#controlPlane?.close();
    this.#controlPlane = undefined;
  }

  /** All that an Envoy gets. */
  async served(): Promise<readonly string[]> {
    const { xdsAddress = '' } = this.#controlPlane ?? {};
    const all = [];
    for (const type of [CLUSTER_TYPE, LISTENER_TYPE] as const)
      all.push(...(await resourcesFor(xdsAddress, 'redis', type)));
    return all.map(({ name, resource }) => `${name} ${JSON.stringify(resource)}`);
  }
}

function namesOf(served: readonly string[]): readonly string[] {
  return served.map((line) => line.split(' ')[0] ?? '');
}

/** One that was started, served everything, and was stopped. */
async function stopped(
  t: TestContext,
): Promise<{ readonly serving: Serving; readonly before: readonly string[] }> {
  const folder = await temporaryFolder('state');
  const serving = new Serving(folder);
  t.after(async () => {
    await serving.stop();
    // Only now: it writes its state there.
    await removeFolder(folder);
  });
  for (const [file, text] of Object.entries(FILES)) await serving.write(file, text);
  await serving.start();
  const before = await serving.served();
  assert.equal(before.length, 6);
  await serving.stop();
  return { serving, before };
}

const BROKEN = 'not: [whole';
const DAMAGES: readonly (readonly [what: string, files: Readonly<Record<string, string | Uint8Array>>])[] = [
  ['a file is no YAML', { 'cache/service.yaml': BROKEN }],
  ['a field is wrong', { 'cache/service.yaml': (FILES['cache/service.yaml'] ?? '').replace('7s', '7') }],
  ['a file is no text', { 'cache/service.yaml': Buffer.from([0xff, 0]) }],
  ['the RedisDestination is no YAML', { 'cache/destination.yaml': BROKEN }],
  [
    'all of them are no YAML',
    Object.fromEntries(
      Object.keys(FILES)
        .filter((file) => file.startsWith('cache'))
        .map((file) => [file, BROKEN]),
    ),
  ],
  [
    'the Service has its port no longer',
    {
      'cache/rest.yaml': (FILES['cache/rest.yaml'] ?? '')
        .replace('port: 6395', 'port: 1')
        .replace('name: redis', 'name: x'),
    },
  ],
];

for (const [what, files] of DAMAGES) {
  test(`what was served goes on being served after a restart where ${what}, until it is mended`, async (t) => {
    const { serving, before } = await stopped(t);
    for (const [file, damaged] of Object.entries(files)) await serving.write(file, damaged);
    // Twice: what was remembered is remembered again.
    for (let times = 0; times < 2; times++) {
      const controlPlane = await serving.start();
      assert.deepEqual(await serving.served(), before);
      assert.ok(controlPlane.diagnostics().some(({ reason }) => reason === 'LastGoodKept'));
      if (times === 0) await serving.stop();
    }
    const mended = (FILES['cache/service.yaml'] ?? '').replace('7s', '8s');
    for (const file of Object.keys(files)) await serving.write(file, FILES[file] ?? '');
    await serving.write('cache/service.yaml', mended);
    await eventually('the mended object', async () => {
      const now = await serving.served();
      return now.length === before.length && now.filter((line) => !before.includes(line)).length === 1
        ? true
        : undefined;
    });
  });
}

test('after a restart at which the folder holds nothing, what was there is served until it holds something', async (t) => {
  const { serving, before } = await stopped(t);
  await rename(serving.objects, `${serving.objects}.away`);
  await mkdir(serving.objects);
  await serving.start();
  // But who holds a password himself is not remembered, and who names a Secret is closed without it.
  assert.deepEqual(
    namesOf(await serving.served()),
    namesOf(before.filter((line) => !line.startsWith('plain'))),
  );
  await serving.write('other.yaml', FILES['other.yaml'] ?? '');
  await eventually('only what is there', async () =>
    (await serving.served()).every((line) => line.startsWith('other')) ? true : undefined,
  );
});

test('what was deleted is gone after a restart', async (t) => {
  const { serving, before } = await stopped(t);
  await rm(join(serving.objects, 'other.yaml'));
  await serving.start();
  assert.deepEqual(
    await serving.served(),
    before.filter((line) => !line.startsWith('other')),
  );
});

test('no password is in the state, and only its owner may read it', async (t) => {
  const { serving } = await stopped(t);
  const text = await readFile(serving.state, 'utf8');
  assert.match(text, /"name":"cache"/);
  assert.doesNotMatch(
    text,
    new RegExp(`${PASSWORD}|${IN_OBJECT}|${Buffer.from(PASSWORD).toString('base64')}`),
  );
  assert.equal((await stat(serving.state)).mode & 0o777, 0o600);
});

test('a state that is something else costs what was remembered, and is kept beside the new one', async (t) => {
  const { serving, before } = await stopped(t);
  for (const text of ['', '[]', '{"name":"of somebody"}', '{"objects":7}']) {
    await writeFile(serving.state, text);
    await serving.start();
    assert.deepEqual(await serving.served(), before);
    await serving.stop();
    assert.equal(await readFile(`${serving.state}.not-understood`, 'utf8'), text);
    assert.match(await readFile(serving.state, 'utf8'), /"name":"cache"/);
  }
});

test('what stands in a state and is none of ours is passed over', async (t) => {
  const { serving, before } = await stopped(t);
  await writeFile(serving.state, '{"objects":[["a",{"kind":"Secret"}]],"modes":7}');
  await serving.start();
  assert.deepEqual(await serving.served(), before);
});

test('what could not be stored is stored when it can be', async (t) => {
  const folder = await temporaryFolder('state');
  t.after(() => removeFolder(folder));
  const path = join(folder, 'missing', 'state.json');
  const told: string[] = [];
  const state = new StateFile({
    path,
    state: () => ({ held: new Map(), modes: new Map(), generations: new Map() }),
    log: { error: (message) => told.push(message) },
  });
  state.changed();
  await eventually('the problem', () => (told.length > 0 ? true : undefined));
  assert.deepEqual(told, [
    `--state ${path} can't be written (ENOENT), so what must survive a restart is not stored; ` +
      `mend that in ${join(folder, 'missing')}, or give another file`,
  ]);
  await mkdir(join(folder, 'missing'));
  await state.close();
  assert.match(await readFile(path, 'utf8'), /"objects"/);
});

test('a state that is a folder ends the start with what to give', async (t) => {
  const { serving } = await stopped(t);
  await rm(serving.state);
  await mkdir(serving.state);
  await assert.rejects(serving.start(), {
    message: `--state ${serving.state}: it is a folder; give the path of a file`,
  });
});
