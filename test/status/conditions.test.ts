import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Diagnostic, Reason, Severity } from '../../src/api/diagnostic.ts';
import {
  conditionsOf,
  sameConditions,
  type Condition,
  type InMesh,
  type Progress,
} from '../../src/status/conditions.ts';

const GOOD: Progress = { isServed: true, isPending: false, rejections: [] };
const NOW = '2026-01-31T12:00:00Z';

function diagnostic(severity: Severity, reason: Reason, message: string = reason): Diagnostic {
  return { severity, reason, path: ['spec', 'host', 0], message };
}

function conditions(
  diagnostics: readonly Diagnostic[],
  progress: Partial<Progress> = {},
  before: readonly Condition[] = [],
): readonly Condition[] {
  const object = { kind: 'RedisService', generation: 3, diagnostics, progress: { ...GOOD, ...progress } };
  return conditionsOf(object, before, NOW);
}

const cases: readonly [
  what: string,
  diagnostics: readonly Diagnostic[],
  progress: Partial<Progress>,
  expected: string,
][] = [
  ['nothing is wrong', [], {}, 'Accepted=True ResolvedRefs=True Programmed=True'],
  [
    'no proxy gets it',
    [],
    { isServed: false },
    'Accepted=True ResolvedRefs=True Programmed=Unknown/NoProxies',
  ],
  [
    'what RedisDestinations say is not known',
    [diagnostic('warning', 'DestinationsUnknown')],
    {},
    'Accepted=True ResolvedRefs=Unknown/DestinationsUnknown Programmed=True',
  ],
  [
    'what RedisDestinations say is not known, and a Secret is missing',
    [diagnostic('warning', 'DestinationsUnknown'), diagnostic('error', 'SecretNotFound')],
    {},
    'Accepted=True ResolvedRefs=False/SecretNotFound Programmed=True',
  ],
  [
    'a proxy has not answered',
    [],
    { isPending: true },
    'Accepted=True ResolvedRefs=True Programmed=Unknown/Pending',
  ],
  [
    'a proxy refused it, another has not answered',
    [],
    { isPending: true, rejections: [{ node: 'a', message: 'no' }] },
    'Accepted=True ResolvedRefs=True Programmed=False/Rejected',
  ],
  [
    'a field is wrong and nothing was ever good',
    [diagnostic('error', 'InvalidValue')],
    { isServed: false },
    'Accepted=False/InvalidValue ResolvedRefs=True Programmed=False/InvalidValue',
  ],
  [
    'a field is wrong and an older version is in force',
    [diagnostic('error', 'InvalidValue'), diagnostic('warning', 'LastGoodKept')],
    {},
    'Accepted=False/InvalidValue ResolvedRefs=True Programmed=False/LastGoodKept',
  ],
  [
    'a Service is missing',
    [diagnostic('error', 'HostNotFound')],
    { isServed: false },
    'Accepted=True ResolvedRefs=False/HostNotFound Programmed=False/HostNotFound',
  ],
  [
    'another object has its address',
    [diagnostic('error', 'AddressConflict')],
    {},
    'Accepted=True ResolvedRefs=True Programmed=False/AddressConflict Conflicted=True',
  ],
  [
    'a warning alone',
    [diagnostic('warning', 'NoCatchAll')],
    {},
    'Accepted=True ResolvedRefs=True Programmed=True',
  ],
];

for (const [what, diagnostics, progress, expected] of cases) {
  test(`${what}: ${expected}`, () => {
    const found = conditions(diagnostics, progress).map(
      ({ type, status, reason }) => `${type}=${status}${status === 'True' ? '' : `/${reason}`}`,
    );
    assert.equal(found.join(' '), expected);
  });
}

const inMesh = (fields: Partial<InMesh>, diagnostics: readonly Diagnostic[] = [], progress = {}): string => {
  const judged = {
    kind: 'RedisService',
    generation: 1,
    diagnostics,
    inMesh: { written: [], pending: undefined, kept: undefined, ...fields },
  };
  const found = conditionsOf({ ...judged, progress: { ...GOOD, isServed: false, ...progress } }, [], NOW);
  const programmed = found.find(({ type }) => type === 'Programmed');
  return `${programmed?.status} ${programmed?.reason}: ${programmed?.message}`;
};
const written = ['redis/redpilot-cache', 'shop/redpilot-redis-cache'];

for (const [what, found, expected] of [
  [
    'EnvoyFilters that are written',
    inMesh({ written }),
    /^Unknown WrittenToIstio: .* redis\/redpilot-cache, shop\/redpilot-redis-cache; .* not visible/,
  ],
  ['one that is not there yet', inMesh({ written, pending: 'why not' }), /^Unknown Pending: why not$/],
  [
    'one that is closed for want of a password',
    inMesh({ written }, [diagnostic('error', 'CredentialsUnavailable')]),
    /^Unknown WrittenToIstio/,
  ],
  [
    "somebody else's of its name",
    inMesh({ pending: 'not ours' }, [diagnostic('error', 'EnvoyFilterConflict')]),
    /^False EnvoyFilterConflict/,
  ],
  [
    'what keeps an older version',
    inMesh({ written }, [diagnostic('warning', 'LastGoodKept')]),
    /^False LastGoodKept/,
  ],
  [
    'an EnvoyFilter that stays as it was',
    inMesh({ written, kept: 'it stays' }, [diagnostic('error', 'InvalidValue')]),
    /^Unknown LastGoodKept: it stays$/,
  ],
  ['a proxy that gets it too', inMesh({ written }, [], { isServed: true }), /^True Programmed/],
] as const) {
  test(`Programmed with ${what}`, () => {
    assert.match(found, expected);
  });
}

test("somebody else's EnvoyFilter says nothing against the object", () => {
  const [accepted] = conditions([diagnostic('error', 'EnvoyFilterConflict')]);
  assert.equal(accepted?.status, 'True');
});

test('the message names the field and what to write', () => {
  const [accepted] = conditions([diagnostic('error', 'InvalidValue', '"x" is no host; write one')]);
  assert.equal(accepted?.message, 'spec.host[0]: "x" is no host; write one');
});

const missing = diagnostic('error', 'SecretNotFound', 'there is no Secret x; create it');
const because = 'spec.host[0]: there is no Secret x; create it';

for (const [what, diagnostics, isServed, expected] of [
  ['no proxy gets it', [missing], false, `no proxy gets it as it is: ${because}`],
  [
    'an older version is in force',
    [missing, diagnostic('warning', 'LastGoodKept')],
    true,
    `proxies keep what was last good of it: ${because}`,
  ],
  ['a part of it is closed', [missing], true, `every proxy that gets it has it, but ${because}`],
  ['all is well', [diagnostic('warning', 'NoCatchAll')], true, 'every proxy that gets it has it'],
] as const) {
  test(`the message of Programmed says why, where ${what}`, () => {
    const programmed = conditions(diagnostics, { isServed }).find(({ type }) => type === 'Programmed');
    assert.equal(programmed?.message, expected);
  });
}

test('hints stand beside the good news', () => {
  const [accepted] = conditions([diagnostic('warning', 'NoCatchAll', 'has no catch-all')]);
  assert.deepEqual([accepted?.status, accepted?.message], ['True', 'spec.host[0]: has no catch-all']);
});

test('no message ends within a character, which would come back as another one', () => {
  for (const length of [3_980, 3_981, 3_982, 3_983]) {
    const [accepted] = conditions([
      diagnostic('warning', 'NoCatchAll', 'a'.repeat(length) + '😀'.repeat(50)),
    ]);
    assert.match(accepted?.message ?? '', /…$/);
    assert.equal(accepted?.message, Buffer.from(accepted?.message ?? '').toString());
  }
});

test('a time moves with the status only', () => {
  const before = conditions([]).map((condition) => ({ ...condition, lastTransitionTime: 'before' }));
  const times = conditions([diagnostic('error', 'InvalidValue')], {}, before).map(
    ({ type, lastTransitionTime }) => `${type} ${lastTransitionTime}`,
  );
  assert.deepEqual(times, [`Accepted ${NOW}`, 'ResolvedRefs before', 'Programmed before']);
});

test('a RedisDestination is not programmed by itself', () => {
  const object = { kind: 'RedisDestination', generation: 1, diagnostics: [], progress: GOOD };
  assert.deepEqual(
    conditionsOf(object, [], NOW).map(({ type }) => type),
    ['Accepted', 'ResolvedRefs'],
  );
});

test('a hundred nodes that refuse are named by three', () => {
  const rejections = Array.from({ length: 100 }, (_, index) => ({ node: `n${index}`, message: 'no' }));
  const programmed = conditions([], { rejections }).find(({ type }) => type === 'Programmed');
  assert.equal(programmed?.message, 'refused by n0, n1, n10, …: no');
});

test('two that differ in time and order only say the same', () => {
  const a = conditions([]);
  const b = [...a].reverse().map((condition) => ({ ...condition, lastTransitionTime: 'another' }));
  assert.equal(sameConditions(a, b), true);
  assert.equal(sameConditions(a, conditions([], { isPending: true })), false);
});

test('who refused an object is said in the same words, whoever connected first', () => {
  const rejections = [
    { node: 'b', message: 'no room' },
    { node: 'a', message: 'no such file' },
  ];
  const [said, turned] = [rejections, rejections.toReversed()].map((each) => {
    const progress = { isServed: true, isPending: false, rejections: each };
    const judged = { kind: 'RedisService', generation: 1, diagnostics: [], progress };
    return conditionsOf(judged, [], '').find(({ type }) => type === 'Programmed')?.message;
  });
  assert.equal(said, 'refused by a, b: no such file');
  assert.equal(turned, said);
});
