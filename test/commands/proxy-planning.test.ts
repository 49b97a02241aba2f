import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';
import { Registry } from 'prom-client';

import type { Diagnostic } from '../../src/api/diagnostic.ts';
import { parseNetworks } from '../../src/commands/arguments.ts';
import { ProxyPlanning, type PlanningOptions } from '../../src/commands/proxy-planning.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { NO_ANNOTATIONS, redisService, service } from '../plan/objects.ts';

interface Planned {
  readonly planning: ProxyPlanning;
  readonly metrics: Registry;
  readonly lines: readonly string[];
  /** How many plans the proxy was given. */
  readonly plans: () => number;
}

async function plan(t: TestContext, options: Partial<PlanningOptions> = {}): Promise<Planned> {
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
  const planning = new ProxyPlanning(proxy, { namespace: 'redis', probe: false, metrics, log, ...options });
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

test('an annotation that names an address beyond loopback needs --allow-bind', async (t) => {
  const object = redisService({
    name: 'beyond',
    hosts: ['other.example'],
    annotations: { ...NO_ANNOTATIONS, listen: [{ of: undefined, address: '10.0.0.1', port: 6_379 }] },
  });
  const refused = await plan(t);
  refused.planning.follow({ set: [object], deleted: [] }, []);
  assert.match(
    refused.lines.join(''),
    /10\.0\.0\.1 is beyond loopback; --allow-bind 10\.0\.0\.1\/32 allows it/,
  );
  const allowed = await plan(t, { allowBind: parseNetworks('10.0.0.0/8') });
  allowed.planning.follow({ set: [object], deleted: [] }, []);
  assert.doesNotMatch(allowed.lines.join(''), /beyond loopback/);
});
