import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiObject, RedisService } from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import { NO_ANNOTATIONS, redisDestination, redisService, secret, service } from '../plan/objects.ts';
import { filtersOf } from './plans.ts';

const AUTH = {
  kind: 'secret',
  name: 'redis-password',
  passwordField: 'password',
  usernameField: undefined,
} as const;

const HOST = service({ hasSelector: true, clusterIps: ['10.96.12.34'] });

function secretIn(namespace: string): ApiObject {
  const source = { namespace, name: 'redis-password', field: 'password', isTrimmed: false };
  const data = new Map([['password', new SecretText('sesame', source)]]);
  return secret({}, { namespace, name: 'redis-password', data });
}

/** By namespace: what is said of passwords, and the EnvoyFilter itself. */
function written(
  object: RedisService,
  ...others: readonly ApiObject[]
): { readonly texts: ReadonlyMap<string, string>; readonly told: readonly string[] } {
  const filters = filtersOf([object, HOST, ...others], { allowedNamespaces: ['shop'] });
  return {
    texts: new Map(filters.write.map(({ namespace, body }) => [namespace, JSON.stringify(body)])),
    told: filters.diagnostics
      .filter(({ reason }) => reason === 'SecretNotAllowed')
      .map(({ message }) => message),
  };
}

const FILE = /"filename":"\/etc\/redpilot\/secrets\/redis-password\/password"/;

test('sidecars of another namespace are not told to read a Secret of the same name there', () => {
  const annotations = { ...NO_ANNOTATIONS, istioNamespaces: ['shop'], istioSecrets: 'file' } as const;
  const { texts, told } = written(
    redisService({ auth: AUTH, annotations }),
    redisDestination({ mode: 'CLUSTER' }),
    secretIn('redis'),
  );
  assert.match(texts.get('redis') ?? '', FILE);
  assert.doesNotMatch(texts.get('shop') ?? '', /filename/);
  assert.match(told.join(), /^Secret redis\/redis-password is not of shop, .*write "inline", or an object/);
});

/** An object of a client's namespace that governs the host for itself. */
function ofClients(istioSecrets?: 'inline' | 'file'): RedisService {
  return redisService({
    namespace: 'shop',
    hosts: ['redis-cluster.redis'],
    rules: [],
    annotations: { ...NO_ANNOTATIONS, istioSecrets },
  });
}

test("the Secret of a host's own namespace is not a file of its clients' sidecars", () => {
  const { texts, told } = written(
    ofClients('file'),
    redisDestination({ mode: 'CLUSTER', auth: AUTH }),
    secretIn('redis'),
  );
  assert.doesNotMatch(texts.get('shop') ?? '', /filename/);
  assert.match(told.join(), /write a RedisDestination of the host with a Secret of shop/);
});

const PLAIN = { kind: 'plain', username: undefined, password: new SecretText('sesame') } as const;

for (const istioSecrets of [undefined, 'inline', 'file'] as const) {
  test(`a password in clear of another namespace's object is not copied, with ${istioSecrets ?? 'nothing'} asked`, () => {
    const destination = redisDestination({ mode: 'CLUSTER', auth: PLAIN });
    const { texts, told } = written(ofClients(istioSecrets), destination);
    assert.doesNotMatch(texts.get('shop') ?? '', /sesame/);
    assert.match(
      told.join(),
      /stands in a RedisDestination of redis, .*write a RedisDestination of the host in shop/,
    );
  });
}

test("a password in clear of the namespace's own object stands in its EnvoyFilters", () => {
  const host = 'redis-cluster.redis';
  const destination = redisDestination({ namespace: 'shop', host, mode: 'CLUSTER', auth: PLAIN });
  const { texts, told } = written(ofClients(), destination);
  assert.match(texts.get('shop') ?? '', /sesame/);
  assert.deepEqual(told, []);
});
