import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';
import { Registry } from 'prom-client';

import type { Diagnostic } from '../../src/api/diagnostic.ts';
import { ProxyPlanning } from '../../src/commands/proxy-planning.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { redisService, service } from '../plan/objects.ts';

interface Planned {
  readonly planning: ProxyPlanning;
  readonly metrics: Registry;
  readonly lines: readonly string[];
  /** How many plans the proxy was given. */
  readonly plans: () => number;
}

async function plan(t: TestContext): Promise<Planned> {
  let plans = 0;
  const lines: string[] = [];
  const metrics = new Registry();
  const proxy: Pick<Proxy, 'update'> = {
    update: () => {
      plans += 1;
      return Promise.resolve();
    },
  };
  const log = pino({}, { write: (line: string) => lines.push(line) });
  const planning = new ProxyPlanning(proxy, { namespace: 'redis', probe: false, metrics, log });
  t.after(() => planning.close());
  planning.follow({ set: [redisService({ hosts: ['cache.example'] })], deleted: [] }, []);
  await planning.begin();
  return { planning, metrics, lines, plans: () => plans };
}

test('what concerns no RedisService makes no plan anew: a cluster has many Services', async (t) => {
  const { planning, plans } = await plan(t);
  planning.follow({ set: [service({ name: 'other' })], deleted: [] }, []);
  await planning.begin();
  // begin carries out once more by itself.
  assert.equal(plans(), 2);
});

test('what the source says of objects is told and counted, though no plan is made anew', async (t) => {
  const { planning, metrics, lines } = await plan(t);
  const dropped: Diagnostic = {
    severity: 'warning',
    reason: 'FieldDropped',
    path: [],
    message: 'is no field',
  };
  planning.follow({ set: [], deleted: [] }, [dropped]);
  assert.match(lines.join(''), /is no field/);
  assert.match(await metrics.metrics(), /redpilot_diagnostics\{severity="warning"\} 1/);
});
