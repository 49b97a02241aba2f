import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Registry } from 'prom-client';

import { eventually } from '../../src/demo/eventually.ts';
import { planSingleUpstream } from '../../src/plan/single-upstream.ts';
import { createProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import { proxyFor } from './servers.ts';

test('an IPv6 address stands in brackets wherever it is shown', async (t) => {
  const plan = planSingleUpstream({
    upstream: { address: '::1', port: 1 },
    mode: 'proxy',
    reads: { address: '::1', port: 2 },
    readPolicy: 'PREFER_REPLICA',
    listen: { address: '127.0.0.1', port: 0 },
    clientPassword: undefined,
    upstreamPassword: undefined,
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
