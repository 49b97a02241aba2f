/**
 * What a scripted node says of itself and its cluster, and what sets up a connection.
 */
import { OK, array, bulk, error, integer } from './replies.ts';
import type { NodeState, Talk } from './state.ts';

/** What is not of keys, and needs no data. */
export function answerOfItself(node: NodeState, talk: Talk, words: readonly string[]): string | undefined {
  const { cluster } = node;
  switch (words[0]?.toUpperCase()) {
    case 'HELLO':
      talk.protocol = Number(words[1] ?? talk.protocol);
      return greeting(node, talk);
    case 'READONLY':
      if (cluster.isPlain) return error(NO_CLUSTER);
      talk.isReadonly = true;
      return OK;
    case 'READWRITE':
      talk.isReadonly = false;
      return OK;
    case 'CLIENT':
      talk.isTracking = true;
      return OK;
    case 'INFO':
      return bulk(replicationOf(node));
    case 'CLUSTER':
      if (cluster.isPlain) return error(NO_CLUSTER);
      switch (words[1]?.toUpperCase()) {
        case 'SLOTS':
          return cluster.slots(node);
        case 'NODES':
          return bulk(cluster.members(node));
        case 'INFO': {
          const state = node.refusal?.startsWith('CLUSTERDOWN') === true ? 'fail' : 'ok';
          return bulk(`cluster_state:${state}\r\ncluster_current_epoch:${node.view.epoch}\r\n`);
        }
        case undefined:
        default:
          return error(`ERR unknown subcommand '${words[1]}'. Try CLUSTER HELP.`);
      }
    case undefined:
    default:
      return undefined;
  }
}

const NO_CLUSTER = 'ERR This instance has cluster support disabled';

function greeting(node: NodeState, { protocol }: Talk): string {
  const fields: readonly (readonly [string, string])[] = [
    ['server', bulk('redis')],
    ['version', bulk('7.0.15')],
    ['proto', integer(protocol)],
    ['id', integer(1)],
    ['mode', bulk(node.cluster.isPlain ? 'standalone' : 'cluster')],
    ['role', bulk(node.isPrimary ? 'master' : 'replica')],
    ['modules', array([])],
  ];
  const items = fields.map(([name, value]) => `${bulk(name)}${value}`).join('');
  return protocol === 3 ? `%${fields.length}\r\n${items}` : `*${2 * fields.length}\r\n${items}`;
}

function replicationOf(node: NodeState): string {
  const at = node.offset;
  const offset = `master_replid:${'a'.repeat(40)}\r\nmaster_repl_offset:${at}\r\n`;
  if (node.isPrimary) return `# Replication\r\nrole:master\r\nconnected_slaves:2\r\n${offset}`;
  const downFor = Math.round((performance.now() - node.linkDownAt) / 1_000);
  const link = node.isLinkUp
    ? 'master_link_status:up\r\nmaster_last_io_seconds_ago:0\r\n'
    : `master_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\nmaster_link_down_since_seconds:${downFor}\r\n`;
  return `# Replication\r\nrole:slave\r\n${link}master_sync_in_progress:0\r\nslave_repl_offset:${at}\r\n${offset}`;
}
