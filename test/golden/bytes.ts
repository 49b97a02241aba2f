/**
 * The bytes that Envoys are sent, of some cases: they outlive releases, since a cluster whose bytes change is built anew in
 * every Envoy, which closes its connections to Redis.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { TYPE_URLS } from '../../src/envoy/resource.ts';
import type { Snapshot } from '../../src/envoy/resource-set.ts';
import { snapshotOf } from '../../src/envoy/snapshot.ts';
import { planOfCase } from './case.ts';

const FILE = fileURLToPath(new URL('bytes.txt', import.meta.url));

const OF_CASES = [
  'client-password-plain',
  'connect-timeout',
  'discovery-endpoints',
  'prefix-routes',
  'proxy-mode-endpoints',
  'proxy-mode-ipv6',
  'proxy-mode-without-endpoints',
  'read-policy-any',
  'read-policy-replica',
  'upstream-password-missing',
  'upstream-password-plain',
];

/** A line for each resource and form: case, type, name, version, bytes. */
export async function encodedCases(): Promise<string> {
  const lines: string[] = [];
  for (const name of OF_CASES) {
    const { plan } = await planOfCase(name);
    lines.push(...linesOf(name, snapshotOf(plan, undefined)));
  }
  return `${lines.join('\n')}\n`;
}

export function expectedBytes(): string {
  return readFileSync(FILE, 'utf8');
}

export async function writeExpectedBytes(): Promise<void> {
  writeFileSync(FILE, await encodedCases());
}

function linesOf(name: string, snapshot: Snapshot): readonly string[] {
  return TYPE_URLS.flatMap((typeUrl) => snapshot.get(typeUrl)?.list ?? []).flatMap((resource) => {
    const { typeUrl, version, bytes, initialBytes } = resource;
    const line = (form: string, content: Uint8Array): string =>
      [
        name,
        `${typeUrl.split('.').at(-1)}${form}`,
        resource.name,
        version,
        Buffer.from(content).toString('base64'),
      ].join(' ');
    return initialBytes === undefined
      ? [line('', bytes)]
      : [line('', bytes), line('(initial)', initialBytes)];
  });
}
