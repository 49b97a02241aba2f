import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { translateObjects } from '../../src/commands/translate-objects.ts';
import { readFiles } from '../../src/sources/files/read.ts';
import { Followed } from './follow.ts';

const SERVICE = `apiVersion: redis.aeraki.io/v1alpha1
kind: RedisService
metadata: {name: cache}
spec:
  host: [redis.localhost]
  settings: {}
  redis:
    - match: {key: {prefix: 'o:'}}
      route: {host: other.localhost, port: 6379}
    - route: {host: redis.localhost, port: 6379}
---
`;

const TLS = 'tls: {mode: SIMPLE}';
const MISTAKE = 'connectionPool: {tcp: {connectTimeout: 5}}';

function destination(
  policy: string,
  { host = 'host: redis.localhost', head = '', name = 'cache' } = {},
): string {
  return `${head || 'apiVersion: redis.aeraki.io/v1alpha1\nkind: RedisDestination'}
metadata: {name: ${name}}
spec:
  ${host}
  trafficPolicy: ${policy}
`;
}

/** Modes of the upstreams by host, and what is said. */
async function planOf(
  t: TestContext,
  text: string,
  change = (service: string): string => service,
): Promise<{ readonly modes: Readonly<Record<string, string>>; readonly said: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-refused-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'objects.yaml'), change(SERVICE) + text);
  const { objects, diagnostics: ofFiles } = await readFiles([folder]);
  const { plan, diagnostics } = translateObjects(objects);
  const modes = Object.fromEntries(
    Array.from(plan.upstreams.values(), ({ id, mode }) => [id.replace(/\..*/, ''), mode]),
  );
  return { modes, said: [...ofFiles, ...diagnostics].map(({ reason, message }) => `${reason} ${message}`) };
}

const PROXY = '{connectionPool: {redis: {mode: PROXY}}}';
const OTHER = destination(PROXY, { host: 'host: other.localhost' });

const closing: [what: string, text: string][] = [
  ['TLS, and a wrong value elsewhere', destination(`{${TLS}, ${MISTAKE}}`)],
  ['TLS with a mode that is none', destination('{tls: {mode: MUTAUL}}')],
  ['TLS in a text', destination('{tls: SIMPLE}')],
  ['TLS where it does not belong', destination(`{connectionPool: {${TLS}, tcp: {connectTimeout: 5}}}`)],
  ['a traffic policy that can not be read', destination('[tls]')],
  ['a pool that can not be read', destination('{connectionPool: redis}')],
  ['a password that is empty', destination("{connectionPool: {redis: {auth: {plain: {password: ''}}}}}")],
  ['a list for its host', destination(`{${TLS}}`, { host: 'host: [third.localhost, redis.localhost]' })],
  ['a port at its host', destination(`{${TLS}}`, { host: 'host: redis.localhost:6379' })],
  ['a URL for its host', destination(`{${TLS}}`, { host: 'host: rediss://me:pw@redis.localhost:99999/0' })],
  ['a password with a slash', destination(`{${TLS}}`, { host: 'host: rediss://me:p/w@redis.localhost/0' })],
  ['an @ behind it', destination(`{${TLS}}`, { host: 'host: rediss://redis.localhost:1/0?by=me@here' })],
  ['what is no text among its hosts', destination(`{${TLS}}`, { host: 'host: [3, redis.localhost]' })],
  ['hosts for host', destination(`{${TLS}}`, { host: 'hosts: [redis.localhost]' })],
  ['hosts beside an empty host', destination(`{${TLS}}`, { host: "host: ''\n  hosts: [redis.localhost]" })],
  ['no name', destination(`{${TLS}}`, { name: '' })],
  [
    'another version',
    destination(`{${TLS}}`, { head: 'apiVersion: redis.aeraki.io/v1\nkind: RedisDestination' }),
  ],
  [
    'a misspelt kind',
    destination(`{${TLS}}`, { head: 'apiVersion: redis.aeraki.io/v1alpha1\nkind: RedisDestinations' }),
  ],
  ['a mistake of YAML', `${destination(`{${TLS}}`)}  host: redis.localhost\n`],
  ['a template in it', destination(`{${TLS}, connectionPool: {tcp: {connectTimeout: "{{ .Values.t }}"}}}`)],
  ['the name of another', `${OTHER}---\n${destination(`{${TLS}}`)}`],
  [
    'the name of another, and a password',
    `${OTHER}---\n${destination("{connectionPool: {redis: {auth: {plain: {password: 'x'}}}}}")}`,
  ],
  ['the name of another, and a mistake', `${OTHER}---\n${destination(`{${TLS}, ${MISTAKE}}`)}`],
];

for (const [what, text] of closing) {
  test(`a RedisDestination with ${what} closes its host's routes, and no others`, async (t) => {
    const { modes, said } = await planOf(t, text);
    assert.deepEqual(modes, { redis: 'unavailable', other: 'proxy' });
    const line = said.find((line) => line.startsWith('CredentialsUnavailable'));
    assert.match(
      line ?? '',
      /RedisDestination default\/.* has a mistake, and redis\.localhost:6379 must not be reached/,
    );
    assert.ok(!said.some((line) => line.includes('me:pw')));
  });
}

const open: [what: string, text: string][] = [
  ['a mistake alone', destination(`{${MISTAKE}}`)],
  ['TLS that is off, and a mistake', destination(`{tls: {mode: DISABLE}, ${MISTAKE}}`)],
  ['TLS that is off by its number, and a mistake', destination(`{tls: {mode: 0}, ${MISTAKE}}`)],
  ['TLS that is left out, and a mistake', destination(`{tls: null, ${MISTAKE}}`)],
  ['TLS, and no host', destination(`{${TLS}}`, { host: 'port: 6379' })],
  ['the name of another', `${OTHER}---\n${destination(PROXY)}`],
];

for (const [what, text] of open) {
  test(`a RedisDestination with ${what} is as good as none`, async (t) => {
    const { modes } = await planOf(t, text);
    assert.deepEqual(modes, { redis: 'proxy', other: 'proxy' });
  });
}

test('of two RedisDestinations of a host a mistake in the one that does not count closes nothing', async (t) => {
  const good = destination('{connectionPool: {redis: {mode: PROXY}}}', { name: 'a' });
  const { modes } = await planOf(t, `${good}---\n${destination(`{${TLS}, ${MISTAKE}}`, { name: 'b' })}`);
  assert.deepEqual(modes, { redis: 'proxy', other: 'proxy' });
});

test('replicas whose RedisDestination is refused are closed, and their primary is not', async (t) => {
  const policy = destination(`{${TLS}, ${MISTAKE}}`, { host: 'host: copies.localhost' });
  const { modes } = await planOf(t, policy, (text) =>
    text
      .replace('settings: {}', 'settings: {readPolicy: PREFER_REPLICA}')
      .replace(
        '{host: redis.localhost, port: 6379}',
        '{host: redis.localhost, port: 6379, reads: {host: copies.localhost}}',
      ),
  );
  assert.deepEqual(modes, { redis: 'proxy', other: 'cluster', 'reads/PREFER_REPLICA/redis': 'unavailable' });
});

test('a copy of a RedisDestination closes nothing, though it may be older', async (t) => {
  const policy = "{connectionPool: {redis: {auth: {plain: {password: 'x'}}}}}";
  const copy = destination(policy).replace(
    '{name: cache}',
    '{name: cache, creationTimestamp: 2020-01-01T00:00:00Z}',
  );
  const { modes, said } = await planOf(t, `${destination(policy)}---\n${copy}`);
  assert.deepEqual(modes, { redis: 'proxy', other: 'proxy' });
  assert.deepEqual(said.filter((line) => !/^(?:ModeAssumed|GuardInForce)/.test(line)).length, 1);
});

test('what stands in for a RedisDestination goes when that is mended, and is never a last good version', async (t) => {
  const refused = (followed: Followed): unknown => {
    const object = followed.object('cache', 'RedisDestination');
    return object?.kind === 'RedisDestination' ? object.refused !== undefined : undefined;
  };
  const write = (folder: string, text: string): void => writeFileSync(join(folder, 'a.yaml'), text);
  const followed = await Followed.start(t, (folder) => write(folder, destination(`{${TLS}, ${MISTAKE}}`)));
  assert.equal(refused(followed), true);
  write(followed.folder, `${destination(`{${TLS}}`)}  host: redis.localhost\n`);
  await followed.becomes('another mistake', () => followed.reasons().join() === 'SyntaxError');
  assert.equal(refused(followed), true);
  write(followed.folder, 'kind: [');
  await followed.becomes(
    'one of which nothing can be read',
    () => followed.diagnostics[0]?.position?.line === 1,
  );
  assert.equal(refused(followed), true);
  write(followed.folder, destination(`{${TLS}}`));
  await followed.becomes('the mended one', () => refused(followed) === false);
  assert.deepEqual(followed.reasons(), []);
  write(followed.folder, destination(`{tls: {mode: DISABLED}}`));
  await followed.becomes('the last good one', () => followed.reasons().includes('LastGoodKept'));
  assert.equal(refused(followed), false);
  write(followed.folder, '');
  await followed.becomes('none', () => refused(followed) === undefined);
  assert.ok(!followed.everSaid.has('Duplicate'));
});
