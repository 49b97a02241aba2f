/**
 * Whether a host is a Redis Cluster or plain servers.
 *
 * What a RedisDestination says; else what the host says of itself; else an assumption, which is made once: an edit of
 * the policy must not turn a Redis Cluster into sharded single servers.
 */
import { hostKey } from '../api/host-name.ts';
import type { Mode, RedisService } from '../api/objects.ts';
import type { ObservedMode } from '../world/observation.ts';
import type { WorldReader } from '../world/world-reader.ts';
import type { Host } from './hosts.ts';

export interface ChosenMode {
  readonly mode: Mode;
  readonly modeAssumed: boolean;
  readonly isSentinel: boolean;
}

/** A sentinel says that it is none of the two, and nothing of the servers that it watches. */
const MODE_OF: Readonly<Record<ObservedMode, Mode | undefined>> = {
  cluster: 'CLUSTER',
  standalone: 'PROXY',
  sentinel: undefined,
};

/** `place` is `HOST:PORT`; `inForce` the mode that it was planned with before. */
export function chooseMode(
  world: WorldReader,
  place: string,
  host: Host,
  stated: Mode | undefined,
  inForce: Mode | undefined,
): ChosenMode {
  if (stated !== undefined) return { mode: stated, modeAssumed: false, isSentinel: false };
  const observed = world.observedMode(place);
  const mode = observed && MODE_OF[observed];
  return {
    mode: mode ?? inForce ?? assumedMode(world, host),
    modeAssumed: mode === undefined,
    isSentinel: observed === 'sentinel',
  };
}

/** Only a wish for replicas tells that there are some; who names them in `reads` says that they are no Redis Cluster's. */
function assumedMode(world: WorldReader, host: Host): Mode {
  const isHost = (text: string, namespace: string): boolean =>
    hostKey(text, namespace, world.clusterDomain) === host.key;
  const wantsReplicas = ({ readPolicy, namespace, rules }: RedisService): boolean =>
    readPolicy !== 'MASTER' &&
    !rules.some((rule) => rule.reads !== undefined && isHost(rule.host, namespace));
  return world.routers(host.key).some(wantsReplicas) ? 'CLUSTER' : 'PROXY';
}
