import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { weakUpstreamTls } from '../tls/certificates.ts';
import { clientOf, planTo, proxyFor } from './servers.ts';

test('an upstream whose certificate OpenSSL refuses costs its own commands, and one line', async (t) => {
  const tls = await weakUpstreamTls();
  const plan = planTo(1);
  const upstreams = new Map(
    [...plan.upstreams].map(([id, upstream]) => [
      id,
      upstream.mode === 'unavailable' ? upstream : { ...upstream, tls },
    ]),
  );
  const { port, lines } = await proxyFor(t, { ...plan, upstreams });
  const client = clientOf(t, port);
  client.socket.write('GET key\r\n');
  const reply = await eventually('a reply', () => client.got() || undefined);
  assert.equal(reply, '-upstream failure\r\n');
  assert.equal(lines.filter((line) => line.includes('OpenSSL does not take its certificate')).length, 1);
});
