/** What the control plane's own namespace demands, and whom it lets in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pages } from './documentation.ts';
import { documentsOf, find } from './manifests.ts';

const controlPlane = documentsOf('control-plane');

test('pods of the control plane are held to the restricted profile', () => {
  const { metadata } = find(controlPlane, 'Namespace', 'redpilot') as {
    readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
  };
  assert.equal(metadata.labels?.['pod-security.kubernetes.io/enforce'], 'restricted');
});

test('Prometheus is let in from namespaces with the label that the docs name', () => {
  const { spec } = find(controlPlane, 'NetworkPolicy', 'redpilot') as {
    readonly spec: { readonly ingress: readonly { readonly from: readonly object[] }[] };
  };
  const namespaceSelector = { matchLabels: { 'redpilot.dev/metrics': 'true' } };
  assert.deepEqual(spec.ingress.at(-1)?.from, [{ podSelector: {} }, { namespaceSelector }]);
  const page = pages.find(({ file }) => file === 'docs/status.md');
  assert.match(page?.text ?? '', /kubectl label namespace monitoring redpilot\.dev\/metrics=true/);
});
