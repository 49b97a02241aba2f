/**
 * What the control plane counts of its own work: builds, and what is wrong with the objects.
 */
import { Gauge, Histogram, type Registry } from 'prom-client';

import type { Diagnostic } from '../api/diagnostic.ts';

export interface BuildMetrics {
  /** A change of objects has become plans. */
  built(ms: number): void;
}

const SEVERITIES: readonly Diagnostic['severity'][] = ['error', 'warning', 'note'];

export function createBuildMetrics(registry: Registry, current: () => readonly Diagnostic[]): BuildMetrics {
  createDiagnosticsGauge(registry, current);
  const builds = new Histogram({
    name: 'redpilot_build_seconds',
    help: 'From changed objects to their plans; its count is the number of builds',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [registry],
  });
  return { built: (ms) => builds.observe(ms / 1_000) };
}

/** Registers itself; its value is made when it is asked for. */
export function createDiagnosticsGauge(registry: Registry, current: () => readonly Diagnostic[]): void {
  void new Gauge({
    name: 'redpilot_diagnostics',
    help: 'What is wrong with the objects now, or worth knowing',
    labelNames: ['severity'],
    // Of several workers, each of which plans for itself.
    aggregator: 'max',
    registers: [registry],
    collect() {
      const diagnostics = current();
      for (const severity of SEVERITIES) {
        const count = diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
        this.set({ severity }, count);
      }
    },
  });
}
