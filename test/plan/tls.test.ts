import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Tls } from '../../src/api/objects.ts';
import type { UpstreamTls } from '../../src/plan/routing-plan.ts';
import { createAuthority, validFor } from '../../src/tls/authority.ts';
import { deskWith, type Desk } from './desk.ts';
import { redisDestination, redisService, secret, service, slice } from './objects.ts';

const ours = await createAuthority(validFor(1));
const other = await createAuthority(validFor(1));
const client = await ours.issueClient('spiffe://cluster.local/ns/redis/sa/envoy', validFor(1));
const stranger = await other.issueClient('spiffe://cluster.local/ns/redis/sa/envoy', validFor(1));

const GOOD = { 'ca.crt': ours.certificate, 'tls.crt': client.certificate, 'tls.key': client.key };

function destination(tls: Partial<Tls> = {}): ReturnType<typeof redisDestination> {
  return redisDestination({
    mode: 'CLUSTER',
    tls: { mode: 'MUTUAL', secretName: 'password', serverName: undefined, insecureSkipVerify: false, ...tls },
  });
}

function deskOf(values: Readonly<Record<string, string>> = GOOD, type = 'kubernetes.io/tls'): Desk {
  return deskWith(redisService(), service(), slice(['10.0.0.1']), destination(), secret(values, { type }));
}

function tlsOf(desk: Desk): UpstreamTls | string | undefined {
  const upstream = desk.upstream();
  return upstream?.mode === 'unavailable' ? 'unavailable' : upstream?.tls;
}

test("a certificate must be for the host's full name where none is said", () => {
  const tls = tlsOf(deskOf());
  assert.ok(typeof tls === 'object');
  assert.equal(tls.serverName, 'redis-cluster.redis.svc.cluster.local');
  assert.equal(tls.certificate?.key.reveal(), client.key);
});

test('a certificate is for a name without its final dot, whoever wrote it', () => {
  const desk = deskOf();
  desk.put(destination({ serverName: 'Redis.example.com.' }));
  const stated = tlsOf(desk);
  assert.equal(typeof stated === 'object' && stated.serverName, 'Redis.example.com');
  desk.put(service({ externalName: 'redis.example.com.' }), destination());
  const external = tlsOf(desk);
  assert.equal(typeof external === 'object' && external.serverName, 'redis.example.com');
});

const neverKnown: [what: string, values: Readonly<Record<string, string>>, type?: string][] = [
  ['has nothing', {}],
  ['has an authority that is none', { ...GOOD, 'ca.crt': 'x' }],
  ['has no key', { ...GOOD, 'tls.key': ' ' }],
  ['has a key of another certificate', { ...GOOD, 'tls.key': stranger.key }],
  ["is a service account's token", GOOD, 'kubernetes.io/service-account-token'],
];
for (const [what, values, type] of neverKnown) {
  test(`a Secret that ${what} closes the upstream, and later leaves the last good one in force`, () => {
    assert.equal(tlsOf(deskOf(values, type)), 'unavailable');
    const desk = deskOf();
    const before = desk.upstream();
    desk.put(secret(values, { type: type ?? 'kubernetes.io/tls' }));
    assert.equal(desk.upstream(), before);
    assert.ok(desk.reasons().includes('warning LastGoodKept'));
  });
}

test('what was last good does not serve an object that asks for another Secret, or for less', () => {
  for (const change of [{ secretName: 'elsewhere' }, { mode: 'SIMPLE' as const }]) {
    const desk = deskOf();
    desk.remove(secret({}));
    desk.put(destination(change));
    assert.equal(tlsOf(desk), 'unavailable');
  }
});

test('a renewed certificate reaches the upstream', async () => {
  const desk = deskOf();
  const renewed = await ours.issueClient('spiffe://cluster.local/ns/redis/sa/envoy', validFor(1));
  desk.put(secret({ ...GOOD, 'tls.crt': renewed.certificate, 'tls.key': renewed.key }));
  const tls = tlsOf(desk);
  assert.equal(typeof tls === 'object' && tls.certificate?.chain.reveal(), renewed.certificate);
});
