import assert from 'node:assert/strict';
import { test } from 'node:test';

import { deskWith } from './desk.ts';
import { redisDestination, redisService, rule, service, slice } from './objects.ts';

const cluster = redisDestination({ mode: 'CLUSTER' });

test('the older of two objects for one host governs it, and the younger takes over when it goes', () => {
  const older = redisService({ name: 'older', createdMs: 1, readPolicy: 'ANY' });
  const younger = redisService({ name: 'younger', createdMs: 2, readPolicy: 'REPLICA' });
  const desk = deskWith(older, younger, service(), slice(['10.0.0.1']), cluster);
  assert.equal(desk.listener('younger'), undefined);
  assert.ok(desk.reasons().includes('error HostConflict'));
  desk.remove(older);
  assert.equal(desk.listener('younger')?.readPolicy, 'REPLICA');
  assert.ok(!desk.reasons().includes('error HostConflict'));
});

test('an object that was never in force takes no host from a younger one, until it is mended', () => {
  const toItself = { host: 'redis-cluster', port: undefined, percentage: 100, excludeReadCommands: false };
  const older = redisService({ name: 'older', createdMs: 1, readPolicy: 'ANY' });
  const broken = { ...older, rules: [rule({ mirrors: [toItself] })] };
  const younger = redisService({ name: 'younger', createdMs: 2, readPolicy: 'REPLICA' });
  for (const order of [
    [older, younger],
    [younger, older],
  ]) {
    const desk = deskWith(service(), slice(['10.0.0.1']), cluster, younger);
    desk.put(...order.map((object) => (object === older ? broken : object)));
    assert.equal(desk.listener('older'), undefined);
    assert.equal(desk.listener('younger')?.readPolicy, 'REPLICA');
    assert.ok(!desk.reasons().includes('error HostConflict'));

    desk.put(...order);
    assert.equal(desk.listener('older')?.readPolicy, 'ANY');
    assert.equal(desk.listener('younger'), undefined);
    assert.ok(desk.reasons().includes('error HostConflict'));

    desk.put(broken);
    assert.equal(desk.listener('older')?.readPolicy, 'ANY', 'its last good version has the host');
    assert.equal(desk.listener('younger'), undefined);
  }
});

test('an object with a password that was never in force leaves its host to nobody who asks for none', () => {
  const auth = {
    kind: 'secret',
    name: 'password',
    passwordField: undefined,
    usernameField: undefined,
  } as const;
  const toItself = { host: 'redis-cluster', port: undefined, percentage: 100, excludeReadCommands: false };
  const older = redisService({ name: 'older', createdMs: 1, auth, rules: [rule({ mirrors: [toItself] })] });
  const younger = redisService({ name: 'younger', createdMs: 2 });
  const desk = deskWith(service(), slice(['10.0.0.1']), cluster, younger, older);
  assert.equal(desk.listener('younger'), undefined);
  assert.ok(desk.reasons().includes('error HostConflict'));

  desk.put({ ...older, auth: undefined });
  assert.notEqual(desk.listener('younger'), undefined);
});

test('an object made anew under its name is the younger one, and gives its host to who waited', () => {
  const first = redisService({ name: 'first', createdMs: 1, readPolicy: 'ANY' });
  const second = redisService({ name: 'second', createdMs: 2, readPolicy: 'REPLICA' });
  const desk = deskWith(service(), slice(['10.0.0.1']), cluster, first, second);
  assert.equal(desk.listener('second'), undefined);

  desk.put({ ...first, createdMs: 3 });
  assert.equal(desk.listener('second')?.readPolicy, 'REPLICA');
  assert.equal(desk.listener('first'), undefined);
});

test('a host that an object has lost in a broken edit stays its own, and others are told', () => {
  const toItself = { host: 'other', port: undefined, percentage: 100, excludeReadCommands: false };
  const older = redisService({ name: 'older', createdMs: 1 });
  const desk = deskWith(service(), service({ name: 'other' }), slice(['10.0.0.1']), cluster, older);
  desk.put({ ...older, hosts: ['other'], rules: [rule({ host: 'other', mirrors: [toItself] })] });
  desk.put(redisService({ name: 'younger', createdMs: 2 }));
  assert.ok(desk.listener('older') !== undefined);
  assert.equal(desk.listener('younger'), undefined);
  assert.ok(desk.reasons().includes('error HostConflict'));
});

test('of many that compete for a host and can not be carried out each is planned once', () => {
  const toItself = { host: 'redis-cluster', port: undefined, percentage: 100, excludeReadCommands: false };
  const rules = [rule({ mirrors: [toItself] })];
  const looksAt = (count: number): number => {
    let looks = 0;
    const rivals = Array.from({ length: count }, (_, index) => ({
      ...redisService({ name: `rival-${index}`, createdMs: count - index }),
      get rules() {
        looks += 1;
        return rules;
      },
    }));
    const desk = deskWith(service(), slice(['10.0.0.1']), cluster, ...rivals);
    desk.remove(rivals.at(-1)!);
    return looks;
  };
  assert.ok(looksAt(60) <= 2 * looksAt(30));
});
