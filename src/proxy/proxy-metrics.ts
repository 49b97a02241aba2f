/**
 * What the proxy counts, for Prometheus: kept as plain numbers on the hot path, put into words only when somebody asks.
 */
import { Counter, Gauge, type Registry } from 'prom-client';

import { allCommands } from '../redis/command-table.ts';
import type { ListenerTls } from './listener-tls.ts';
import type { Proxy } from './proxy.ts';
import { createReplyTimes } from './reply-times.ts';
import type { NodeCounts } from './topology/role-counts.ts';
import { commandCounts, outcomes } from './wire/outcomes.ts';

/** As CLUSTER NODES says it; `fail?` is what one node suspects. */
const HAS_FAILED = /(?:^|,)fail(?:,|$)/;

/** Registers itself in `registry`. */
export function createProxyMetrics(registry: Registry, proxy: Proxy): void {
  const registers = [registry];
  void new Gauge({
    name: 'redpilot_proxy_clients',
    help: 'Clients that are connected',
    registers,
    collect() {
      this.set(proxy.clients);
    },
  });
  void new Counter({
    name: 'redpilot_proxy_clients_refused_total',
    help: 'Clients that were turned away, since there were as many as --max-clients allows',
    registers,
    collect() {
      this.reset();
      this.inc(proxy.clientCount.refused);
    },
  });
  void new Counter({
    name: 'redpilot_proxy_commands_total',
    help: 'Commands of clients that are over, by the way they are carried out and by what became of them',
    labelNames: ['kind', 'outcome'],
    registers,
    collect() {
      this.reset();
      for (const { kind, outcome, count } of outcomes()) this.inc({ kind, outcome }, count);
    },
  });
  void new Counter({
    name: 'redpilot_proxy_command_calls_total',
    help: 'Commands of clients by name, where some listener has command statistics',
    labelNames: ['command'],
    registers,
    collect() {
      this.reset();
      if (!proxy.hasCommandStats) return;
      for (const { index, name } of allCommands()) {
        if (commandCounts[index]! > 0) this.inc({ command: name }, commandCounts[index]);
      }
    },
  });
  void new Gauge({
    name: 'redpilot_proxy_upstream_up',
    help: '1: it is known where to send what; 0: it is not, /topology says why',
    labelNames: ['upstream'],
    aggregator: 'min',
    registers,
    collect() {
      this.reset();
      for (const { id, isReady, problem } of proxy.status())
        this.set({ upstream: id }, Number(isReady && problem === undefined));
    },
  });
  void new Gauge({
    name: 'redpilot_proxy_node_up',
    help: '1: the node is fit for what its role and the read policy say; 0: it is not, /topology says why',
    labelNames: ['upstream', 'node', 'role'],
    // Of several workers: whether all of them see it so.
    aggregator: 'min',
    registers,
    collect() {
      this.reset();
      for (const { id, nodes, unlisted = {} } of proxy.status()) {
        // Who is told of what is 0 must not take it for well again once its cluster's map leaves it out.
        for (const [address, flags] of Object.entries(unlisted)) {
          if (!HAS_FAILED.test(flags)) continue;
          const role = flags.includes('slave') ? 'replica' : 'primary';
          this.set({ upstream: id, node: address, role }, 0);
        }
        for (const { address, role, isUp } of nodes)
          this.set({ upstream: id, node: address, role }, Number(isUp));
      }
    },
  });
  void new Counter({
    name: 'redpilot_proxy_node_commands_total',
    help: 'Commands sent to a node the first time, by the role that it had then',
    labelNames: ['upstream', 'node', 'role', 'type'],
    registers,
    collect() {
      countByRole(this, proxy, ({ reads, writes }) => ({ read: reads, write: writes }));
    },
  });
  void new Counter({
    name: 'redpilot_proxy_node_errors_total',
    help: 'Error replies of a node that were handed on, over connections that clients share',
    labelNames: ['upstream', 'node', 'role', 'type'],
    registers,
    collect() {
      countByRole(this, proxy, ({ errors }) => errors);
    },
  });
  createReplyTimes(registry, () => proxy.status());
  void new Counter({
    name: 'redpilot_proxy_events_total',
    help: 'What became of commands that their first node did not carry out',
    labelNames: ['upstream', 'event'],
    registers,
    collect() {
      this.reset();
      for (const { id, events } of proxy.status()) {
        for (const [event, count] of Object.entries(events)) this.inc({ upstream: id, event }, count);
      }
    },
  });
  void new Counter({
    name: 'redpilot_proxy_slow_commands_total',
    help: 'Commands whose client waited longer than --log-slower-than',
    registers,
    collect() {
      this.reset();
      this.inc(proxy.slowCommands ?? 0);
    },
  });
  void new Gauge({
    name: 'redpilot_proxy_topology_age_seconds',
    help: 'Since a node last said what the cluster looks like',
    labelNames: ['upstream'],
    aggregator: 'max',
    registers,
    collect() {
      this.reset();
      for (const { id, topologyAgeMs } of proxy.status()) {
        if (topologyAgeMs !== undefined) this.set({ upstream: id }, topologyAgeMs / 1_000);
      }
    },
  });
}

function countByRole(
  counter: Counter,
  proxy: Proxy,
  countsOf: (counts: NodeCounts) => NodeCounts['errors'],
): void {
  counter.reset();
  for (const { id: upstream, nodes } of proxy.status()) {
    for (const { address: node, countsByRole } of nodes) {
      for (const [role, counts] of Object.entries(countsByRole)) {
        for (const [type, count] of Object.entries(countsOf(counts)))
          counter.inc({ upstream, node, role, type }, count);
      }
    }
  }
}

export function createCertificateMetric(registry: Registry, tls: ListenerTls): void {
  void new Gauge({
    name: 'redpilot_proxy_tls_certificate_not_after_seconds',
    help: "When the listeners' certificate in force ends, in seconds since 1970",
    // Of several workers the first that will have none.
    aggregator: 'min',
    registers: [registry],
    collect() {
      this.set(tls.notAfter.getTime() / 1_000);
    },
  });
}
