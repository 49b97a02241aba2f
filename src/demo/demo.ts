/**
 * The demo: a load through an Envoy, or our proxy, in front of a Redis Cluster, and a live table of who answers what.
 */
import { Redis } from 'ioredis';

import { Hopeless, eventually } from './eventually.ts';
import { startLoad } from './load.ts';
import type { Screen } from './screen.ts';
import { Watch, type Servers } from './watch.ts';

/** Immediate and short: the point is to see reads move. A real sidecar drains gradually. */
export const DRAIN_SECONDS = 3;

/** What `open` opened, to be closed in reverse order. */
export type Opened = (() => Promise<void>)[];

export interface DemoOptions {
  /** The file with the RedisService, which the user may edit. */
  readonly sample: string;
  /** Counted from the first command sent; undefined: until stopped. */
  readonly seconds: number | undefined;
  readonly screen: Screen;
  /** Ends the demo early. */
  readonly stop: AbortSignal;
  readonly open: (opened: Opened) => Promise<Servers>;
}

/** `stopped`: before there was anything to judge. */
export type Outcome = 'fine' | 'wrong' | 'stopped';

const FIRST_ANSWER_LIMIT_MS = 30_000;

/** Resolves to whether every command went where it should; leaves no process and no file. */
export async function runDemo(options: DemoOptions): Promise<Outcome> {
  const { screen, stop, sample, seconds } = options;
  const opened: Opened = [];
  try {
    const servers = await options.open(opened);
    await firstAnswer(servers, sample, stop);
    stop.throwIfAborted();
    const { host, port } = servers.dataPlane.address;
    const load = startLoad(port, host);
    opened.push(() => load.stop());
    const watch = new Watch({ ...servers, load, screen, sample, seconds, drainSeconds: DRAIN_SECONDS, stop });
    return (await watch.run()) ? 'fine' : 'wrong';
  } catch (error) {
    // What fails because it was stopped (pip hears a terminal's Ctrl-C too) is no news.
    if (!stop.aborted) throw error;
    screen.say('  stopped before the first command');
    return 'stopped';
  } finally {
    for (const close of opened.reverse()) await close();
  }
}

/** Listeners open before their clusters know the nodes. */
async function firstAnswer({ dataPlane }: Servers, sample: string, stop: AbortSignal): Promise<void> {
  const { name, address, policyInForce } = dataPlane;
  const patience = { deadlineMs: FIRST_ANSWER_LIMIT_MS };
  await eventually(
    `a listener of ${name} for ${sample}`,
    async () => {
      if (stop.aborted) throw new Hopeless('stopped');
      return (await policyInForce()) === undefined ? undefined : true;
    },
    { ...patience, seen: () => 'none; see what redpilot validate says of the file' },
  );
  const client = new Redis({ ...address, protocol: 2, maxRetriesPerRequest: 0 });
  // Told by the command that fails.
  client.on('error', () => {});
  try {
    await eventually(
      `an answer of the Redis Cluster through ${name}`,
      async () => {
        if (stop.aborted) throw new Hopeless('stopped');
        await client.get('demo:first');
        return true;
      },
      patience,
    );
  } finally {
    client.disconnect();
  }
}
