import assert from 'node:assert/strict';
import { test } from 'node:test';

import { addressOf, hostProblem, parseHostPort } from '../../src/api/host-port.ts';

const places: [text: string, expected: string | RegExp][] = [
  ['redis', 'redis '],
  ['redis.data.svc', 'redis.data.svc '],
  ['redis:6380', 'redis 6380'],
  ['10.0.0.1', '10.0.0.1 '],
  ['10.0.0.1:1', '10.0.0.1 1'],
  ['::1', '::1 '],
  ['[::1]', '::1 '],
  ['[::1]:65535', '::1 65535'],
  ['[0:0:0:0:0:0:0:1]:65535', '::1 65535'],
  ['redis:', /has no port after the colon/],
  ['redis:0', /has no port after the colon/],
  ['redis:65536', /has no port after the colon/],
  ['redis:+1', /has no port after the colon/],
  ['redis:6379:1', /has no port after the colon/],
  ['[redis]:6379', /is not a place; write host, host:port, ip:port or \[v6\]:port$/],
  ['[::1', /is not a place/],
  [':6379', /is empty/],
  ['', /is empty/],
  ['a b:6379', /is not a host name/],
  ['fe80::1%eth0', /has a zone, .*; write an address without %$/],
  ['[::ffff:10.0.0.1]:1', /is an IPv4 address in an IPv6 one; write it as four numbers joined by dots$/],
  ['redis://redis:6379', /is an address with a scheme; write host, host:port/],
];

for (const [text, expected] of places) {
  test(`the place "${text}" is ${typeof expected === 'string' ? 'taken apart' : 'refused'}`, () => {
    const { value, problem } = parseHostPort(text);
    if (typeof expected === 'string') assert.equal(value && `${value.host} ${value.port ?? ''}`, expected);
    else assert.match(problem ?? '', expected);
  });
}

const hosts: [text: string, expected: RegExp | undefined][] = [
  ['redis', undefined],
  ['redis.data.svc.cluster.local.', undefined],
  ['_redis._tcp.example.com', undefined],
  ['a'.repeat(63), undefined],
  ['::1', undefined],
  ['a'.repeat(64), /is not a host name/],
  [`${'a.'.repeat(127)}a`, /is not a host name/],
  ['redis..data', /is not a host name/],
  ['-redis', /is not a host name/],
  ['rédis', /is not a host name/],
  ['redis:6379', /^"redis:6379" has a port in it; write the host alone$/],
  ['*.redis', /has a wildcard/],
  ['redis://redis', /has a scheme|with a scheme/],
  ['', /is empty/],
];

for (const [text, expected] of hosts) {
  test(`the host "${text.slice(0, 70)}" is ${expected === undefined ? 'legal' : 'refused'}`, () => {
    if (expected === undefined) assert.equal(hostProblem(text), undefined);
    else assert.match(hostProblem(text) ?? '', expected);
  });
}

for (const text of [
  'redis://user:hidden@redis:6379',
  'user:hidden@redis:6379',
  'rediss://:hid@den@redis',
  ':hidden@redis',
]) {
  test(`of the address "${text}" no message shows the password`, () => {
    for (const message of [hostProblem(text), parseHostPort(text).problem]) {
      assert.ok(message !== undefined);
      assert.doesNotMatch(message, /hid/);
    }
  });
}

test('an IPv6 address is put into brackets before its port', () => {
  assert.equal(addressOf('::1', 6_379), '[::1]:6379');
  assert.equal(addressOf('redis', 6_379), 'redis:6379');
});
