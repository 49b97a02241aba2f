import assert from 'node:assert/strict';
import { test } from 'node:test';

import { redpilot } from './command-line.ts';
import { documents, redisService } from './objects.ts';

test('--cluster-domain says what full names of Services end with', async () => {
  const objects = documents(
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a', namespace: 'redis' },
      spec: { ports: [{ port: 7000 }] },
    },
    {
      ...redisService({ name: 'a' }),
      spec: { host: ['a'], redis: [{ route: { host: 'a.redis.svc.corp.example' } }] },
    },
  );
  const domain = ['--cluster-domain', 'Corp.Example.'];
  const translated = await redpilot(['translate', '--config', '-', '--to', 'hosts', ...domain], objects);
  assert.match(translated.stdout, /^\S+ a\.redis\.svc\.corp\.example a\.redis\.svc a\.redis\n$/);
  const { stdout } = await redpilot(['validate', '-', ...domain], objects);
  assert.match(stdout, /no EndpointSlice lists an address for a\.redis\.svc\.corp\.example:7000/);
  const refused = await redpilot(['validate', '-', '--cluster-domain', 'a b'], objects);
  assert.equal(refused.status, 2);
});
