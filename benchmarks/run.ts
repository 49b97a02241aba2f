/**
 * Runs one measurement (`npm run bench -- NAME`); each file here answers one question.
 */
const BENCHMARKS: Readonly<
  Record<
    string,
    {
      readonly what: string;
      readonly load: () => Promise<{ run: (args: readonly string[]) => Promise<void> }>;
    }
  >
> = {
  failover: {
    what: 'what a dead primary costs, with our settings and with the defaults of Envoy',
    load: () => import('./failover.ts'),
  },
  xds: {
    what: 'how soon thousands of streams have a change, beside go-control-plane and bare grpc-js',
    load: () => import('./xds.ts'),
  },
  'warm-up': {
    what: 'what waiting for a cluster to be warm costs, at start and at updates',
    load: () => import('./warm-up.ts'),
  },
  'slow-command': {
    what: 'what a slow command on a healthy replica costs, by health check',
    load: () => import('./slow-command.ts'),
  },
  translate: {
    what: 'what translating many objects costs, and one change among them',
    load: () => import('./translate.ts'),
  },
  proxy: {
    what: 'what a command costs through our proxy, beside Envoy and nutcracker',
    load: () => import('./proxy.ts'),
  },
  'idle-load': {
    what: 'what idle sidecars cost the Redis nodes, by health check and refresh',
    load: () => import('./idle-load.ts'),
  },
  changes: {
    what: 'what a change of the configuration under load costs clients of several kinds',
    load: () => import('./changes.ts'),
  },
  kubernetes: {
    what: 'what 2,000 objects in a cluster cost, and how soon a change is in force',
    load: () => import('./kubernetes.ts'),
  },
  sidecars: {
    what: 'connections and commands that 200 sidecars cost Redis, idle and at a failover',
    load: () => import('./sidecars.ts'),
  },
  'kubernetes-silence': {
    what: 'how soon a connection to the API server that carries nothing any more is noticed',
    load: () => import('./kubernetes-silence.ts'),
  },
  soak: {
    what:
      'memory, missed changes and errors over minutes of changes before hundreds of streams ' +
      '(--minutes 5 --streams 300 --hosts 50 --every 0.25); `proxy`: of the proxy; `chaos`: random clusters before it',
    load: () => import('./soak.ts'),
  },
};

const [name, ...args] = process.argv.slice(2);
const benchmark = name === undefined ? undefined : BENCHMARKS[name];
if (benchmark === undefined) {
  const list = Object.entries(BENCHMARKS).map(([known, { what }]) => `  ${known.padEnd(20)}${what}`);
  process.stderr.write(`npm run bench -- NAME, where NAME is one of\n${list.join('\n')}\n`);
  process.exit(2);
}
if (args.includes('--help')) {
  process.stdout.write(`${name}: ${benchmark.what}\n`);
  process.exit();
}
const { run } = await benchmark.load();
await run(args);
process.exit();
