import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { Option } from 'commander';

import { inEnvironment, misspeltVariables } from '../../src/commands/environment.ts';
import { proxyCommand } from '../../src/commands/proxy.ts';

const VARIABLES: readonly (readonly [variable: string, why: string | undefined])[] = [
  ['REDPILOT_LISTN', 'did you mean REDPILOT_LISTEN?'],
  ['REDPILOT_UPSTRAEM', 'did you mean REDPILOT_UPSTREAM?'],
  ['REDPILOT_READPOLICY', 'did you mean REDPILOT_READ_POLICY?'],
  ['REDPILOT_UPSTREAM_PASSWORD', 'did you mean REDPILOT_UPSTREAM_PASSWORD_FILE?'],
  ['REDPILOT_TLS_LISTENER_CRT', 'did you mean REDPILOT_TLS_LISTENER_CERT?'],
  ['redpilot_listen', 'did you mean REDPILOT_LISTEN?'],
  ['REDPILOT_XDS_ADDRESS', 'give --xds-address as a flag'],
  ['REDPILOT_LISTEN', undefined],
  ['REDPILOT_MAX_LAG', undefined],
  // Of a Service named redpilot, redpilot-listen, redpilot-mode.
  ['REDPILOT_SERVICE_HOST', undefined],
  ['REDPILOT_SERVICE_PORT_REDIS', undefined],
  ['REDPILOT_PORT', undefined],
  ['REDPILOT_PORT_6379_TCP', undefined],
  ['REDPILOT_PORT_6379_TCP_ADDR', undefined],
  ['REDPILOT_LISTEN_PORT', undefined],
  ['REDPILOT_MODE_PORT_53_UDP_PROTO', undefined],
  // Somebody else's.
  ['REDPILOT_DASHBOARD_THEME', undefined],
  ['LISTN', undefined],
];
for (const [variable, why] of VARIABLES) {
  test(`${variable} ${why === undefined ? 'needs no word' : `has no effect: ${why}`}`, () => {
    const told = misspeltVariables(proxyCommand(), { [variable]: 'x' });
    assert.deepEqual(told, why === undefined ? [] : [`${variable} has no effect: ${why}`]);
  });
}

for (const call of [['--node-id', 'pod-1'], ['--node-id=pod-1']]) {
  test(`a variable whose value stands in the call is for that: ${call.join(' ')}`, () => {
    assert.deepEqual(misspeltVariables(proxyCommand(), { REDPILOT_NODE: 'pod-1' }, call), []);
    assert.equal(misspeltVariables(proxyCommand(), { REDPILOT_NODE: 'pod-2' }, call).length, 1);
  });
}

test('an empty variable that is misspelt has no effect anyway', () => {
  assert.deepEqual(misspeltVariables(proxyCommand(), { REDPILOT_LISTN: '' }), []);
});

function variableOf(t: TestContext, value: string, isEmptyWrong: boolean): string | undefined {
  process.env['REDPILOT_SOME_FLAG'] = value;
  t.after(() => delete process.env['REDPILOT_SOME_FLAG']);
  return inEnvironment(new Option('--some-flag <value>'), { isEmptyWrong }).envVar;
}

test('an empty variable is none, except where it would open something', (t) => {
  assert.equal(variableOf(t, 'x', false), 'REDPILOT_SOME_FLAG');
  assert.equal(variableOf(t, '', false), undefined);
  assert.equal(variableOf(t, '', true), 'REDPILOT_SOME_FLAG');
});
