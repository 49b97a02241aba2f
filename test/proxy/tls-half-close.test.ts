import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'node:tls';

import { eventually } from '../../src/demo/eventually.ts';
import { ListenerTls } from '../../src/proxy/listener-tls.ts';
import { createAuthority, validFor } from '../../src/tls/authority.ts';
import { planTo, proxyFor, serverThat } from './servers.ts';

const COUNT = 200;
/** Several records of TLS. */
const VALUE = `$30000\r\n${'x'.repeat(30_000)}\r\n`;

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a client that ends its direction of ${version} gets the replies to what it asked`, async (t) => {
    const waiting: (() => void)[] = [];
    const redis = await serverThat(t, (words, socket) => {
      if (!words.startsWith('GET')) return '+PONG\r\n';
      waiting.push(() => socket.write(VALUE));
      return undefined;
    });
    const authority = await createAuthority(validFor(1));
    const { certificate, key } = await authority.issueServer(['localhost'], validFor(1));
    const tls = new ListenerTls({ cert: Buffer.from(certificate), key: Buffer.from(key), ca: undefined });
    const { port, proxy } = await proxyFor(t, planTo(redis.port), { tls });
    const options = {
      host: 'localhost',
      port,
      ca: authority.certificate,
      minVersion: version,
      maxVersion: version,
      // Not in the types of this function.
      allowHalfOpen: true,
    };
    const client = connect(options);
    t.after(() => client.destroy());
    await once(client, 'secureConnect');
    let bytes = 0;
    let hasEnded = false;
    client.on('data', (chunk: Buffer) => (bytes += chunk.length));
    client.on('end', () => (hasEnded = true));
    client.end('GET a\r\n'.repeat(COUNT));
    await eventually('the commands', () => waiting.length > 0 || undefined);
    const seen = (): string => `${bytes} bytes, ${redis.asked.length} asked, ended: ${hasEnded}`;
    await eventually(
      'the end',
      () => {
        for (const answer of waiting.splice(0)) answer();
        return hasEnded || undefined;
      },
      { seen, deadlineMs: 60_000 },
    );
    assert.equal(bytes, COUNT * VALUE.length);
    client.destroy();
    await eventually('no client', () => proxy.clients === 0 || undefined);
  });
}
