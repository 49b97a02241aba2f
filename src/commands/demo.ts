/**
 * `redpilot demo`: everything on this machine, and a table of who answers what.
 */
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command, InvalidArgumentError, Option } from 'commander';
import { pino, type Logger } from 'pino';
import { Registry } from 'prom-client';

import { formatDiagnosticLine } from '../api/diagnostic.ts';
import { runDemo, type Outcome } from '../demo/demo.ts';
import { startLocalServers, type LocalServersOptions } from '../demo/local-servers.ts';
import { connectToServers, type RunningServersOptions } from '../demo/running-servers.ts';
import { Screen } from '../demo/screen.ts';
import { bootstrap } from '../envoy/bootstrap.ts';
import { Proxy } from '../proxy/proxy.ts';
import { readFiles } from '../sources/files/read.ts';
import type { HostAndPort } from '../xds/index.ts';
import { parseRemote } from './arguments.ts';
import { startControlPlane } from './control-plane.ts';
import { PROXY_DEFAULTS } from './proxy-defaults.ts';
import { followFiles } from './proxy-files.ts';
import { translateObjects } from './translate-objects.ts';

interface Options {
  readonly seconds?: number;
  readonly sample?: string;
  readonly dataPlane?: 'envoy' | 'proxy';
  readonly port?: number;
  readonly redis?: HostAndPort;
  readonly envoy?: HostAndPort;
  readonly envoyAdmin?: HostAndPort;
  readonly proxy?: HostAndPort;
  readonly proxyAdmin?: HostAndPort;
}

const SAMPLE = fileURLToPath(new URL('../../manifests/samples/read-policy.yaml', import.meta.url));

/** Ctrl-C and Ctrl-\, a terminal that closes, a kill. */
const STOPPING = ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM'] as const;

/** Stopped before it could tell: as the shell reports what Ctrl-C ended. */
const STATUS: Readonly<Record<Outcome, number>> = { fine: 0, wrong: 1, stopped: 130 };

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'run a Redis Cluster, the control plane, an Envoy and a load here, and show which node answers what',
    )
    .option('--seconds <n>', 'end by itself, counted from the first command sent', parseCount)
    .option('--sample <path>', 'the file with the RedisService (default: manifests/samples/read-policy.yaml)')
    .addOption(
      new Option(
        '--data-plane <name>',
        'what stands before Redis (default: envoy where it can be had, else proxy)',
      ).choices(['envoy', 'proxy']),
    )
    .option('--port <port>', 'where Envoy or the proxy listens (default: a free port)', parsePort)
    .option(
      '--redis <host:port>',
      'a node of a Redis Cluster that runs already: start no servers',
      parseRemote,
    )
    .option('--envoy <host:port>', 'with --redis: where its Envoy listens for applications', parseRemote)
    .option('--envoy-admin <host:port>', "with --redis: that Envoy's admin", parseRemote)
    .option('--proxy <host:port>', 'with --redis: where redpilot proxy listens for applications', parseRemote)
    .option('--proxy-admin <host:port>', "with --redis: that proxy's admin", parseRemote)
    .action(async (options: Options, command: Command) => {
      const running = runningServers(command, options);
      const sample = options.sample ?? relative(process.cwd(), SAMPLE);
      if (!existsSync(sample))
        throw new Error(`${sample}: there is no such file; give another with --sample`);
      if (running === undefined) await checkSample(sample);
      const asked = new AbortController();
      for (const signal of STOPPING) process.on(signal, () => asked.abort());
      const screen = new Screen(process.stdout);
      const level =
        command.getOptionValueSource('logLevel') === 'default' ? 'warn' : String(command.opts()['logLevel']);
      const stop = asked.signal;
      const { port, dataPlane } = options;
      const handedIn = { ...controlPlane(screen, level), startProxy: startProxy(screen, level) };
      const local = { sample, port, dataPlane, screen, stop, ...handedIn };
      const outcome = await runDemo({
        sample,
        seconds: options.seconds,
        screen,
        stop,
        open: (opened) =>
          running === undefined
            ? startLocalServers(local, opened)
            : connectToServers({ ...running, screen, stop }, opened),
      });
      process.exitCode = STATUS[outcome];
    });
}

/** Before anything is started: without a listener nobody would ever answer. */
async function checkSample(sample: string): Promise<void> {
  const { objects, diagnostics } = await readFiles([sample]);
  const own = objects.find(
    ({ kind, namespace, name }) =>
      kind !== 'RedisService' && `${namespace}/${name}` === 'redis/redis-cluster',
  );
  if (own !== undefined)
    throw new Error(
      `${sample}: the demo brings the ${own.kind} of its own Redis Cluster; leave out redis/redis-cluster`,
    );
  const translated = translateObjects(objects);
  if (translated.plan.listeners.length > 0) return;
  for (const diagnostic of [...diagnostics, ...translated.diagnostics])
    if (diagnostic.severity === 'error') process.stderr.write(`${formatDiagnosticLine(diagnostic)}\n`);
  throw new Error(
    `${sample}: there is no RedisService in it that can be served; mend it, or give another with --sample`,
  );
}

/** undefined: none are named. Ends the command as wrongly called where not all are. */
function runningServers(
  command: Command,
  { redis, envoy, envoyAdmin, proxy, proxyAdmin, dataPlane, port }: Options,
): Pick<RunningServersOptions, 'redis' | 'dataPlane'> | undefined {
  if ((redis ?? envoy ?? envoyAdmin ?? proxy ?? proxyAdmin) === undefined) return undefined;
  const isProxy = (proxy ?? proxyAdmin) !== undefined;
  if (isProxy && (envoy ?? envoyAdmin) !== undefined)
    command.error('give either --envoy and --envoy-admin, or --proxy and --proxy-admin');
  const [address, admin, kind] = isProxy
    ? ([proxy, proxyAdmin, 'proxy'] as const)
    : ([envoy, envoyAdmin, 'envoy'] as const);
  if (redis === undefined || address === undefined || admin === undefined)
    command.error(`--redis, --${kind} and --${kind}-admin are given together or not at all`);
  for (const [flag, value] of [
    ['--data-plane', dataPlane],
    ['--port', port],
  ] as const)
    if (value !== undefined)
      command.error(`${flag} is for servers that the demo starts; remove it, or --redis`);
  return { redis, dataPlane: { kind, address, admin } };
}

/** The demo room knows no control plane: it is handed in. */
function controlPlane(
  screen: Screen,
  level: string,
): Pick<LocalServersOptions, 'startControlPlane' | 'bootstrap'> {
  const local = { host: '127.0.0.1', port: 0 };
  return {
    startControlPlane: async (configPaths) => {
      const started = await startControlPlane({
        configPaths,
        xdsAddress: local,
        adminAddress: local,
        bindAddress: local.host,
        insecure: false,
        probe: true,
        log: logOn(screen, level),
      });
      return { xdsPort: Number(started.xdsAddress.split(':')[1]), close: () => started.close() };
    },
    bootstrap: (xdsPort, drainSeconds, socketPath) =>
      bootstrap({
        xdsAddress: { ...local, port: xdsPort },
        nodeId: 'demo',
        drainSeconds,
        delta: true,
        admin: { socketPath },
      }),
  };
}

function startProxy(screen: Screen, level: string): LocalServersOptions['startProxy'] {
  return async (configPaths) => {
    const log = logOn(screen, level);
    const proxy = await Proxy.create({ ...PROXY_DEFAULTS, log });
    const metrics = new Registry();
    const files = await followFiles(proxy, configPaths, { bind: '127.0.0.1', probe: false, log, metrics });
    return {
      readPolicy: () => proxy.listeners()[0]?.readPolicy,
      close: async () => {
        await files.close();
        await proxy.close();
      },
    };
  };
}

/** Of a line of the log. `message`: what an Envoy said when it refused something. */
interface Logged {
  readonly msg: string;
  readonly place?: string;
  readonly message?: string;
}

/** The table has the terminal: what the control plane finds wrong with the file is an event below it. */
function logOn(screen: Screen, level: string): Logger {
  return pino(
    { level },
    {
      write: (json) => {
        const { msg, place, message } = JSON.parse(json) as Logged;
        const what = message === undefined ? msg : `${msg}: ${message}`;
        screen.event(place === undefined ? what : `${place}: ${what}`);
      },
    },
  );
}

function parseCount(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('write a whole number above 0');
  return Number(text);
}

function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65_535) throw new InvalidArgumentError('write a port, 1 to 65535');
  return port;
}
