import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { ApiError } from '../../../src/sources/kubernetes/api-error.ts';
import { Secrets } from '../../../src/sources/kubernetes/secrets.ts';
import { redisService } from '../../plan/objects.ts';

const READ = { metadata: { name: 'clients', namespace: 'redis', resourceVersion: '1' } };
const ABSENT = new ApiError(404, 'NotFound', 'not found');
const FORBIDDEN = new ApiError(403, 'Forbidden', 'forbidden');

/** Follows one Secret whose readings give these answers, the last one for ever; what is reported, in order. */
function follow(
  t: TestContext,
  ...answers: readonly unknown[]
): {
  events: string[];
  warnings: string[];
  secrets: Secrets;
  /** What was told with each answer. */
  told: string[];
} {
  const events: string[] = [];
  const told: string[] = [];
  const warnings: string[] = [];
  let readings = 0;
  const secrets = new Secrets({
    api: {
      request: () => {
        const answer = answers[Math.min(readings, answers.length - 1)];
        readings += 1;
        events.push('read');
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
      },
    },
    onSet: () => events.push('set'),
    onDeleted: () => events.push('deleted'),
    onRefused: (namespace, name, why) => events.push(`refused ${namespace}/${name}: ${why}`),
    onAnswer: () => told.push(...secrets.diagnostics().map(({ message }) => message)),
    log: { warn: (line) => warnings.push(line) },
    intervalMs: 5,
  });
  t.after(() => secrets.stop());
  const auth = {
    kind: 'secret',
    name: 'clients',
    passwordField: undefined,
    usernameField: undefined,
  } as const;
  secrets.want([redisService({ auth })]);
  return { events, warnings, secrets, told };
}

test('why a Secret was not read is told once, and again when it is in other words or after an answer', async (t) => {
  const [busy, away] = [new ApiError(500, 'InternalError', 'busy'), new ApiError(0, 'Unreachable', 'away')];
  const { events, warnings } = follow(t, READ, busy, busy, away, away, READ, away, away, READ);
  await eventually('nine readings', () => (readings(events) >= 9 ? true : undefined));
  const [first, second] = ['busy', 'away'].map((why) => `Secret redis/clients was not read: ${why}`);
  assert.deepEqual(warnings, [first, second, second]);
});

const readings = (events: readonly string[]): number => events.filter((event) => event === 'read').length;
const others = (events: readonly string[]): string[] => events.filter((event) => event !== 'read');

const cases: [what: string, answers: readonly unknown[], events: string[], told: RegExp | undefined][] = [
  ['may never be read: refused once', [FORBIDDEN], ['refused redis/clients: RBAC forbids it'], undefined],
  [
    'is not there, then may not be read: refused',
    [ABSENT, FORBIDDEN],
    ['deleted', 'refused redis/clients: RBAC forbids it'],
    undefined,
  ],
  [
    'may not be read any more: what was read stays',
    [READ, FORBIDDEN],
    ['set'],
    /can't be read any more: RBAC/,
  ],
  ['may be read at last', [FORBIDDEN, READ], ['refused redis/clients: RBAC forbids it', 'set'], undefined],
];

for (const [what, answers, expected, told] of cases) {
  test(`a Secret that ${what}`, async (t) => {
    const { events, secrets } = follow(t, ...answers);
    await eventually('five readings', () => (readings(events) >= 5 ? true : undefined));
    assert.deepEqual(others(events), expected);
    const messages = secrets.diagnostics().map(({ message }) => message);
    if (told === undefined) assert.deepEqual(messages, []);
    else assert.match(messages.join(), told);
  });
}

test('a Secret that may not be read for a moment, as of a server that has just started, is none that is forbidden', async (t) => {
  const { events, told } = follow(t, READ, FORBIDDEN, READ, FORBIDDEN, READ);
  await eventually('five readings', () => (readings(events) >= 5 ? true : undefined));
  assert.deepEqual([others(events), told], [['set'], []]);
});
