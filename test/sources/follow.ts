/** A folder of objects that is watched, and what was reported of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import type { Diagnostic } from '../../src/api/diagnostic.ts';
import type { ApiObject } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { watchFiles } from '../../src/sources/files/watch.ts';
import type { ObjectChanges } from '../../src/world/world.ts';

/** However busy the machine: what a test writes slowly is not taken half-written for it. */
const PATIENCE_MS = 60_000;

export class Followed {
  readonly folder: string;
  readonly reports: ObjectChanges[] = [];
  /** Every reason of every report. */
  readonly everSaid = new Set<string>();
  diagnostics: readonly Diagnostic[] = [];
  readonly #objects = new Map<string, ApiObject>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** `prepare` fills the folder before it is watched, or what is `given` in it. */
  static async start(
    t: TestContext,
    prepare: (folder: string) => void,
    { given = '', patienceMs = PATIENCE_MS } = {},
  ): Promise<Followed> {
    const followed = new Followed(mkdtempSync(join(tmpdir(), 'redpilot-files-')));
    t.after(() => rmSync(followed.folder, { recursive: true, force: true }));
    prepare(followed.folder);
    const source = await watchFiles([join(followed.folder, given)], {
      onChange: (changes, diagnostics) => followed.#take(changes, diagnostics),
      log: { error: (message) => t.diagnostic(message) },
      patienceMs,
    });
    t.after(() => source.close());
    return followed;
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  object(name: string, kind = 'RedisService'): ApiObject | undefined {
    return this.#objects.get(`${kind}/${name}`);
  }

  /** `REPLICA` of a RedisService, undefined where it is not there. */
  policy(name: string): string | undefined {
    const object = this.object(name);
    return object?.kind === 'RedisService' ? object.readPolicy : undefined;
  }

  reasons(): readonly string[] {
    return this.diagnostics.map(({ reason }) => reason);
  }

  async becomes(what: string, look: () => boolean): Promise<void> {
    await eventually(what, () => (look() ? true : undefined), {
      seen: () => `${[...this.#objects.keys()].join(', ')}; ${this.reasons().join(', ')}`,
    });
  }

  #take(changes: ObjectChanges, diagnostics: readonly Diagnostic[]): void {
    this.reports.push(changes);
    this.diagnostics = diagnostics;
    for (const reason of this.reasons()) this.everSaid.add(reason);
    for (const { kind, name } of changes.deleted) this.#objects.delete(`${kind}/${name}`);
    for (const object of changes.set) this.#objects.set(`${object.kind}/${object.name}`, object);
  }
}

export function service(name: string, readPolicy: string): string {
  return `apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata:
  name: ${name}
spec:
  host:
    - ${name}.localhost
  settings:
    readPolicy: ${readPolicy}
`;
}
