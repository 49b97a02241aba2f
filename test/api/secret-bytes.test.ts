/**
 * A password of a Secret that is not text: the bytes that it has reach Envoy and the proxy, and from there Redis.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SecretText } from '../../src/api/secret-text.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { decode, encode } from '../../src/envoy/codec.ts';
import { inMessage } from '../../src/envoy/secret-place.ts';
import { inlineSecret } from '../../src/envoy/received/reading.ts';
import { areRightCredentials } from '../../src/proxy/client/client-auth.ts';
import { clientOf, proxyFor, serverThat, planTo } from '../proxy/servers.ts';
import { parsed } from './parsing.ts';

const REDIS_PROXY = 'envoy.extensions.filters.network.redis_proxy.v3.RedisProxy';
/** Not UTF-8, with white space around. */
const RAW = Buffer.from([0x20, 0xff, 0x00, 0xa0, 0x41, 0xfe, 0x0a]);
const TRIMMED = RAW.subarray(1, -1);

function password(): SecretText {
  const secret = parsed('Secret', { data: { password: RAW.toString('base64') } });
  const found = secret.data.get('password')?.trimmed();
  assert.ok(found);
  return found;
}

test('a password that is not UTF-8 keeps its bytes, but for white space around it', () => {
  assert.deepEqual(password().bytes(), TRIMMED);
});

test('two passwords that differ in a byte that is not UTF-8 are not the same', () => {
  const [one, other] = [0xfe, 0xff].map((byte) => new SecretText(Buffer.from([byte])));
  assert.equal(other !== undefined && one?.equals(other), false);
});

test('it reaches Envoy, and is read back, as it is', () => {
  const source = inMessage((secret) => secret.reveal())(password());
  const proxy = { stat_prefix: 'a', downstream_auth_passwords: [source] };
  const bytes = encode(REDIS_PROXY, proxy);
  assert.ok(bytes.includes(TRIMMED));
  const [received] = decode(REDIS_PROXY, bytes).downstream_auth_passwords ?? [];
  assert.deepEqual(inlineSecret(received, 'it').bytes(), TRIMMED);
});

test('where people look it is redacted like any other', () => {
  const source = inMessage(String)(password());
  assert.deepEqual(source, { inline_string: '[redacted]' });
});

test('clients must present it', () => {
  const auth = { kind: 'password', username: undefined, password: password() } as const;
  assert.equal(areRightCredentials(auth, 'default', TRIMMED.toString('latin1')), true);
  assert.equal(
    areRightCredentials(auth, 'default', Buffer.from(TRIMMED.toString()).toString('latin1')),
    false,
  );
});

test('the proxy presents it to Redis, for commands and questions alike', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const plan = planTo(redis.port, { upstreamPassword: password() });
  const { port } = await proxyFor(t, plan);
  clientOf(t, port).socket.write('GET a\r\n*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\nGET a\r\n');
  const logins = (): readonly string[] => redis.asked.filter((words) => /AUTH/i.test(words));
  await eventually('logins of both kinds', () => new Set(logins()).size > 1 || undefined, {
    seen: () => redis.asked.join(),
  });
  const word = TRIMMED.toString('latin1');
  assert.deepEqual(new Set(logins()), new Set([`AUTH ${word}`, `HELLO 3 AUTH default ${word}`]));
});
