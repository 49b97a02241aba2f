import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { promisify } from 'node:util';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { featuresUnknownTo, planWithout } from '../../src/envoy/adapted-plan.ts';
import { OLDEST_ENVOY } from '../../src/envoy/envoy-version.ts';
import { staticConfiguration } from '../../src/envoy/static-configuration.ts';
import { caseNames, inputsOf, planOfCase } from '../golden/case.ts';
import { needEnvoy, needOldestEnvoy } from './environment.ts';
import { Fence } from './fence.ts';
import { startSidecar, type Sidecar } from './sidecar.ts';

/** The oldest one gets what `translate --envoy-version` writes for it, and what `serve` sends it. */
const ENVOYS = [
  { what: 'Envoy', need: needEnvoy, version: undefined },
  { what: `Envoy ${OLDEST_ENVOY}`, need: needOldestEnvoy, version: OLDEST_ENVOY },
];

/** Of the cases, each in an Envoy of its own. */
const HALVES = ['one', 'the other'] as const;

// At once: an Envoy that waits for a Redis that is not there does so for a second at each case.
suite('golden cases', { concurrency: true }, () => {
  for (const { what, need, version } of ENVOYS) {
    test(`${what} --mode validate takes the static form of every golden case`, async (t) => {
      const envoy = await need(t);
      if (envoy === undefined) return;
      const folder = await temporaryFolder('golden');
      t.after(() => removeFolder(folder));
      for (const name of caseNames()) {
        await t.test(name, async () => {
          const plan = planWithout((await planOfCase(name)).plan, featuresUnknownTo(version));
          const file = join(folder, `${name}.json`);
          await writeFile(file, JSON.stringify(staticConfiguration(plan, (secret) => secret.reveal())));
          const { stdout } = await promisify(execFile)(envoy, [
            '--mode',
            'validate',
            '-c',
            file,
            '--log-level',
            'error',
          ]);
          assert.match(stdout, /OK/);
        });
      }
    });

    if (version !== undefined) {
      // Before 1.40 an Envoy may crash when a Redis Cluster goes or changes (docs/envoy-versions.md): one for each case.
      test(`${what} takes every golden case over xDS, each into an Envoy that has nothing yet`, async (t) => {
        const envoy = await need(t);
        if (envoy === undefined) return;
        for (const name of caseNames()) {
          await t.test(name, async (st) => {
            await takes(await startSidecar(st, { envoy, files: { 'case.yaml': await inputOf(name) } }), name);
          });
        }
      });
      continue;
    }

    for (const [delta, half] of [true, false].flatMap((way) => HALVES.map((each) => [way, each] as const))) {
      const way = delta ? 'delta' : 'state of the world';
      test(`${what} takes every golden case over xDS, one after the other (${way}, ${half} half)`, async (t) => {
        const envoy = await need(t);
        if (envoy === undefined) return;
        const fence = await Fence.create();
        const sidecar = await startSidecar(t, { envoy, delta, files: { 'case.yaml': fence.objects() } });
        for (const name of caseNames().filter((_, index) => HALVES[index % HALVES.length] === half)) {
          await t.test(name, async () => {
            await sidecar.write('case.yaml', `${await inputOf(name)}---\n${fence.objects()}`);
            // Many cases have listeners of the same names.
            await fence.passed(sidecar);
            await takes(sidecar, name, [fence.listener]);
          });
        }
      });
    }
  }
});

/** It has the case's listeners, and beside them those of `more`; it refused nothing, and knows every field. */
async function takes({ envoy }: Sidecar, name: string, more: readonly string[] = []): Promise<void> {
  const { plan } = await planOfCase(name);
  const expected = [...plan.listeners.map(({ listener }) => listener.id), ...more].toSorted();
  await listenersBecome(expected, () => envoy.admin('/listeners?format=json'));
  const stats = await envoy.stats('update_rejected|dynamic_unknown_fields');
  assert.deepEqual(
    [...stats].filter(([, count]) => count > 0),
    [],
  );
}

async function inputOf(name: string): Promise<string> {
  return (await Promise.all(inputsOf(name).map((path) => readFile(path, 'utf8')))).join('---\n');
}

async function listenersBecome(expected: readonly string[], listeners: () => Promise<string>): Promise<void> {
  let seen = '';
  await eventually(
    `listeners ${expected.join(', ')}`,
    async () => {
      const { listener_statuses: statuses = [] } = JSON.parse(await listeners()) as {
        listener_statuses?: { name: string }[];
      };
      seen = statuses
        .map(({ name }) => name)
        .toSorted()
        .join(', ');
      return seen === expected.join(', ') ? true : undefined;
    },
    { seen: () => seen },
  );
}
