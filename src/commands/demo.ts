/**
 * `redpilot demo`: everything on this machine, and a table of who answers what.
 */
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command, InvalidArgumentError } from 'commander';
import { pino, type Logger } from 'pino';

import { runDemo, type Outcome } from '../demo/demo.ts';
import { Screen } from '../demo/screen.ts';
import { bootstrap } from '../envoy/bootstrap.ts';
import { startControlPlane } from './control-plane.ts';

interface Options {
  readonly seconds?: number;
  readonly sample?: string;
  readonly port?: number;
}

const SAMPLE = fileURLToPath(new URL('../../manifests/samples/read-policy.yaml', import.meta.url));

/** Stopped before it could tell: as the shell reports what Ctrl-C ended. */
const STATUS: Readonly<Record<Outcome, number>> = { fine: 0, wrong: 1, stopped: 130 };

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'run a Redis Cluster, the control plane, an Envoy and a load here, and show which node answers what',
    )
    .option('--seconds <n>', 'end by itself, counted from the first command sent', parseCount)
    .option('--sample <path>', 'the file with the RedisService (default: manifests/samples/read-policy.yaml)')
    .option('--port <port>', 'where Envoy listens (default: a free port)', parseCount)
    .action(async (options: Options, command: Command) => {
      const sample = options.sample ?? relative(process.cwd(), SAMPLE);
      if (!existsSync(sample))
        throw new Error(`${sample}: there is no such file; give another with --sample`);
      const asked = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => asked.abort());
      const screen = new Screen(process.stdout);
      const level =
        command.getOptionValueSource('logLevel') === 'default' ? 'warn' : String(command.opts()['logLevel']);
      const outcome = await runDemo({
        sample,
        port: options.port,
        seconds: options.seconds,
        screen,
        stop: asked.signal,
        startControlPlane: async (configPaths) => {
          const local = { host: '127.0.0.1', port: 0 };
          const controlPlane = await startControlPlane({
            configPaths,
            xdsAddress: local,
            adminAddress: local,
            bindAddress: '127.0.0.1',
            insecure: false,
            log: logOn(screen, level),
          });
          return {
            xdsPort: Number(controlPlane.xdsAddress.split(':')[1]),
            close: () => controlPlane.close(),
          };
        },
        bootstrap: (xdsPort, drainSeconds, socketPath) =>
          bootstrap({
            xdsAddress: { host: '127.0.0.1', port: xdsPort },
            nodeId: 'demo',
            drainSeconds,
            delta: true,
            admin: { socketPath },
          }),
      });
      process.exitCode = STATUS[outcome];
    });
}

/** The table has the terminal: what the control plane finds wrong with the file is an event below it. */
function logOn(screen: Screen, level: string): Logger {
  return pino(
    { level },
    {
      write: (json) => {
        const { msg, place } = JSON.parse(json) as { readonly msg: string; readonly place?: string };
        screen.event(place === undefined ? msg : `${place}: ${msg}`);
      },
    },
  );
}

function parseCount(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('write a whole number above 0');
  return Number(text);
}
