import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Registry } from 'prom-client';

import { eventually } from '../../src/demo/eventually.ts';
import { createProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import { proxyFor, planTo } from './servers.ts';

test('an IPv6 address stands in brackets wherever it is shown', async (t) => {
  const plan = planTo(1, {
    upstream: { address: '::1', port: 1 },
    reads: { address: '::1', port: 2 },
    readPolicy: 'PREFER_REPLICA',
  });
  const { proxy, lines } = await proxyFor(t, plan);
  const registry = new Registry();
  createProxyMetrics(registry, proxy);
  await eventually(
    'both are told to be away',
    () => lines.join().split('gets no commands').length > 3 || undefined,
    {
      seen: () => lines.join(''),
      deadlineMs: 20_000,
    },
  );
  for (const text of [...lines, JSON.stringify(proxy.status()), await registry.metrics()])
    assert.doesNotMatch(text, /(?<!\[)::1/);
});
