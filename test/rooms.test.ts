import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** From the outermost to the innermost: a room imports only from rooms after it. */
const ROOMS = [
  'cli',
  'commands',
  'demo',
  'admin',
  'status',
  'mesh',
  'xds',
  'proxy',
  'proxy/transactions',
  'proxy/pubsub',
  'proxy/commands',
  'proxy/client',
  'proxy/upstream',
  'proxy/topology',
  'proxy/wire',
  'istio',
  'envoy',
  'tls',
  'sources',
  'plan',
  'world',
  'api',
  'redis',
];

/** Rooms of pure functions, and what they may take of Node nevertheless. */
const PURE = ['istio', 'plan', 'world', 'api', 'redis'];
const PURE_IMPORTS = new Set([
  'node:net:isIP',
  'node:net:BlockList',
  'node:crypto:X509Certificate',
  'node:crypto:createPrivateKey',
  'node:crypto:createHash',
]);

interface Import {
  readonly file: string;
  readonly room: string;
  readonly from: string;
  readonly names: string;
}

function roomOf(file: string): string {
  const [outer = '', inner = '', ...more] = relative(src, file).split('/');
  if (outer === 'proxy' && more.length > 0) return `${outer}/${inner}`;
  return outer.replace(/\.ts$/, '');
}

const imports: Import[] = globSync('**/*.ts', { cwd: src, exclude: ['envoy/protos/**'] }).flatMap((name) => {
  const file = join(src, name);
  const statements = readFileSync(file, 'utf8').matchAll(
    /^(?:import|export) (?:type )?([^;]*?) from '([^']+)';/gms,
  );
  return [...statements].map(([, names = '', from = '']) => ({ file, room: roomOf(file), from, names }));
});

test('every file of src is in a room of the list', () => {
  const rooms = new Set(imports.map(({ room }) => room));
  assert.deepEqual(
    [...rooms].filter((room) => !ROOMS.includes(room)),
    [],
  );
});

test('rooms import only from rooms below them', () => {
  const wrong = imports.filter(({ file, room, from }) => {
    if (!from.startsWith('.')) return false;
    return ROOMS.indexOf(roomOf(join(dirname(file), from))) < ROOMS.indexOf(room);
  });
  assert.deepEqual(
    wrong.map(({ file, from }) => `${relative(src, file)} imports ${from}`),
    [],
  );
});

test('pure rooms import nothing of Node that acts', () => {
  const wrong = imports.filter(({ room, from, names }) => {
    if (!PURE.includes(room) || !from.startsWith('node:')) return false;
    return names
      .replaceAll(/[{}\s]/g, '')
      .split(',')
      .some((name) => !PURE_IMPORTS.has(`${from}:${name}`));
  });
  assert.deepEqual(
    wrong.map(({ file, from }) => `${relative(src, file)} imports ${from}`),
    [],
  );
});

test('no file imports itself by way of others', () => {
  const importsOf = new Map<string, string[]>();
  for (const { file, from } of imports) {
    if (!from.startsWith('.')) continue;
    importsOf.set(file, [...(importsOf.get(file) ?? []), join(dirname(file), from)]);
  }
  const done = new Set<string>();
  const circles: string[] = [];
  const follow = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      const circle = [...path.slice(path.indexOf(file)), file];
      circles.push(circle.map((name) => relative(src, name)).join(' -> '));
    }
    if (done.has(file)) return;
    done.add(file);
    for (const next of importsOf.get(file) ?? []) follow(next, [...path, file]);
  };
  for (const file of importsOf.keys()) follow(file, []);
  assert.deepEqual(circles, []);
});
