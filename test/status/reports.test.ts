import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiRequest } from '../../src/sources/kubernetes/api-server.ts';
import { Reports, type Report } from '../../src/status/reports.ts';

/** As it is written to the API server. */
async function published(report: Report): Promise<Report> {
  let text = '';
  const reports = new Reports({
    api: {
      request: async (_path: string, { body }: ApiRequest) => {
        text = (body as { readonly data: { readonly report: string } }).data.report;
        return body;
      },
      lines: assert.fail,
    },
    namespace: 'redpilot',
    identity: 'a',
    onChange: () => {},
    log: { warn: assert.fail },
  });
  await reports.publish(report);
  assert.ok(Buffer.byteLength(text) < 900_000, `${Buffer.byteLength(text)} bytes`);
  return JSON.parse(text) as Report;
}

const LONG = 'x'.repeat(1_000_000);

test('whatever nodes call themselves and ask for, a report has room, and what is refused comes first', async () => {
  const refused = { isPending: false, rejections: [{ node: LONG, message: LONG }] };
  const inChinese = { isPending: false, rejections: [{ node: '節點'.repeat(20), message: '不' }] };
  const late = { isPending: true, rejections: [] };
  const many = Array.from({ length: 20_000 }, (_, index) => [`redis/object-${index}`, late] as const);
  const named = many.slice(0, 5_000).map(([object]) => [`${object}-named`, inChinese] as const);
  const report = await published({
    views: [LONG, ...Array.from({ length: 10_000 }, (_, index) => `{"bindAddress":"10.0.0.${index}"}`), '{}'],
    exceptions: Object.fromEntries([...many, ...named, ['redis/a-refused', refused]]),
    generations: Object.fromEntries(many.map(([object]) => [object, 1])),
  });
  assert.equal(Object.keys(report.exceptions)[0], 'redis/a-refused');
  assert.ok(report.views.includes('{}'));
  assert.ok(Object.keys(report.exceptions).length > 1_000);
});

test('a report says the same whoever came first', async () => {
  const rejections = ['e', 'd', 'c', 'b', 'a'].map((node) => ({ node, message: 'no' }));
  const of = (some: typeof rejections): Report => ({
    views: [],
    exceptions: { 'redis/cache': { isPending: false, rejections: some } },
    generations: {},
  });
  assert.deepEqual(await published(of(rejections)), await published(of(rejections.toReversed())));
});
