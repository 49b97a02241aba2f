/**
 * Whatever happens to the files, also while nobody follows them: what is served is what the last good versions say.
 */
import assert from 'node:assert/strict';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { parse } from 'yaml';

import type { ApiObject } from '../../src/api/objects.ts';
import { parseObject } from '../../src/api/parse.ts';
import type { ControlPlane } from '../../src/commands/control-plane.ts';
import { planObjects } from '../../src/commands/translate-objects.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { CLUSTER_TYPE, LISTENER_TYPE } from '../../src/envoy/resource.ts';
import { ViewSnapshots } from '../../src/envoy/view-snapshots.ts';
import { documents, redisDestination, redisService, serviceObjects } from '../e2e/objects.ts';
import { randomOf, type Choose } from '../e2e/random.ts';
import { resourcesFor } from '../e2e/served.ts';
import { startFromFiles } from './file-control-plane.ts';

const SEEDS = 4;
const STEPS = 30;
const HOSTS = ['one', 'two', 'three'] as const;
const TYPES = [CLUSTER_TYPE, LISTENER_TYPE] as const;

class RandomFiles {
  readonly #folder: string;
  readonly #random: Choose;
  /** The last good version, by file; only of files that are there. */
  readonly #good = new Map<string, readonly ApiObject[]>();

  #marks = 0;

  constructor(folder: string, random: Choose) {
    this.#folder = folder;
    this.#random = random;
  }

  async begin(): Promise<void> {
    await mkdir(this.#folder);
    for (const [index, name] of HOSTS.entries())
      await this.#put(
        `service-${name}`,
        documents(...serviceObjects({ name, port: 7_000 + index, endpoints: [9] })),
      );
  }

  /** Of one version that follows another at once nobody may ever hear: each file changes once at most. */
  async steps(): Promise<readonly string[]> {
    const files = Array.from({ length: 1 + this.#random(3) }, () => {
      const name = this.#pick(['destination', 'first', 'second', 'third']);
      return name === 'destination' ? `${name}-${this.#pick(HOSTS)}` : name;
    });
    const done: string[] = [];
    for (const file of new Set(files)) done.push(await this.#step(file));
    // Who serves this has read the others: some change nothing that is served, as the second object of a host.
    this.#marks += 1;
    const settings = { opTimeout: `${this.#marks}s` };
    await this.#put('zzz', documents(redisService({ name: 'mark.localhost', settings })));
    return done;
  }

  /** Names and versions, as all that is good should be served. */
  expected(): string {
    const { planner } = planObjects([...this.#good.values()].flat(), {});
    const view = { namespace: 'redis', hosts: undefined, bindAddress: '127.0.0.1' };
    const snapshot = new ViewSnapshots(() => planner.plans()).snapshotFor(view);
    return linesOf(TYPES.flatMap((type) => snapshot.get(type)?.list ?? []));
  }

  async #step(file: string): Promise<string> {
    switch (this.#random(7)) {
      case 0:
        this.#good.delete(file);
        await rm(join(this.#folder, `${file}.yaml`), { force: true });
        return `${file} goes`;
      case 1:
      case 2: {
        const what = this.#pick([
          'not: [whole',
          this.#text(file).replace('spec:', 'spec: 7\nother:'),
          '\u0000',
        ]);
        await this.#write(file, what);
        return `${file} breaks`;
      }
      default:
        await this.#put(file, this.#text(file));
        return `${file} is written`;
    }
  }

  /** A mode that is remembered would depend on what was before: every host is a Redis Cluster, said or assumed. */
  #text(file: string): string {
    const [kind, host = 'one'] = file.split('-');
    if (kind === 'destination')
      return documents(
        redisDestination({ name: host, mode: 'CLUSTER', connectTimeout: `${1 + this.#random(9)}s` }),
      );
    const settings = { readPolicy: 'ANY', opTimeout: `${1 + this.#random(9)}s` };
    const rules = [{ route: { host: this.#pick(HOSTS) } }];
    const name = this.#pick(HOSTS);
    return documents(redisService({ name, settings, rules })).replace(`name: ${name}`, `name: ${file}`);
  }

  async #put(file: string, text: string): Promise<void> {
    await this.#write(file, text);
    const objects = text.split('---\n').map((document) => parseObject(parse(document), () => undefined));
    this.#good.set(
      file,
      objects.map((outcome) => {
        assert.equal(outcome.kind, 'object');
        return (outcome as { readonly object: ApiObject }).object;
      }),
    );
  }

  /** As an editor does, or in its place. */
  async #write(file: string, text: string): Promise<void> {
    const path = join(this.#folder, `${file}.yaml`);
    if (this.#random(3) === 0) {
      await writeFile(path, text);
      return;
    }
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random(from.length)] as T;
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`what is served is what was last good, over random changes and restarts (seed ${seed})`, (t) =>
    follow(t, seed));
}

async function follow(t: TestContext, seed: number): Promise<void> {
  const folder = await temporaryFolder('random');
  const random = randomOf(seed);
  const files = new RandomFiles(join(folder, 'objects'), random);
  await files.begin();
  const start = (): Promise<ControlPlane> =>
    startFromFiles(join(folder, 'objects'), join(folder, 'state.json'));
  let controlPlane = await start();
  t.after(async () => {
    await controlPlane.close();
    // Only now: it writes its state there.
    await removeFolder(folder);
  });
  const served = async (): Promise<string> => {
    const { xdsAddress } = controlPlane;
    const all = TYPES.map((type) => resourcesFor(xdsAddress, 'redis', type, 'delta'));
    return linesOf((await Promise.all(all)).flat());
  };
  const done: string[] = [];
  for (let step = 0; step < STEPS; step++) {
    const isAway = random(5) === 0;
    if (isAway) await controlPlane.close();
    done.push(...(await files.steps()));
    if (isAway) {
      done.push('(while nobody followed)');
      controlPlane = await start();
    }
    const expected = files.expected();
    let last = '';
    await eventually(
      'what was last good',
      async () => {
        last = await served();
        return last === expected ? true : undefined;
      },
      { seen: () => `${done.slice(-12).join('\n')}\nserved:\n${last}\nexpected:\n${expected}` },
    );
  }
}

function linesOf(
  resources: readonly { readonly name: string; readonly version?: string | undefined }[],
): string {
  return resources.map(({ name, version }) => `${name} ${version}`).join('\n');
}
