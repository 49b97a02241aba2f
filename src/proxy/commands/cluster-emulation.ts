/**
 * CLUSTER: to a client that insists on a cluster the proxy is one of a single node, itself.
 */
import { SLOTS, slotOf } from '../../redis/slots.ts';
import {
  encodeBulk,
  encodeError,
  encodeInteger,
  encodeList,
  encodeStatus,
  encodeText,
} from '../wire/encode.ts';
import type { LocalState } from '../client/local-state.ts';

/** Any 40 hexadecimal digits will do, so long as they stay the same. */
const NODE_ID = 'ed'.repeat(20);

/** What is there, for people. */
const HELP = encodeList(
  [
    'CLUSTER <subcommand> [<arg> ...], of the proxy: a cluster of one node, itself. Subcommands are:',
    'INFO, MYID, NODES, SHARDS, SLOTS',
    '    What that cluster looks like.',
    'KEYSLOT <key>',
    '    The slot of a key.',
    'HELP',
    '    Print this help.',
  ].map(encodeStatus),
);

/** Words, itself included. */
const COUNTS = new Map([
  ...['SLOTS', 'SHARDS', 'NODES', 'INFO', 'MYID', 'HELP'].map((name) => [name, 1] as const),
  ['KEYSLOT', 2],
]);

export function answerCluster(state: LocalState, args: readonly string[]): Buffer {
  const [subcommand = '', argument = ''] = args;
  const { localHost: host, localPort: port, protocol } = state;
  const map = (pairs: number): string => (protocol === 3 ? `%${pairs}\r\n` : `*${2 * pairs}\r\n`);
  const name = subcommand.toUpperCase();
  const count = COUNTS.get(name);
  if (count !== undefined && count !== args.length) {
    return encodeError(`ERR wrong number of arguments for 'cluster|${subcommand.toLowerCase()}' command`);
  }
  switch (name) {
    case 'SLOTS':
      return Buffer.from(
        `*1\r\n*3\r\n:0\r\n:${SLOTS - 1}\r\n*4\r\n${bulk(host)}:${port}\r\n${bulk(NODE_ID)}${map(0)}`,
      );
    case 'SHARDS': {
      const node =
        `${map(7)}${bulk('id')}${bulk(NODE_ID)}${bulk('port')}:${port}\r\n${bulk('ip')}${bulk(host)}` +
        `${bulk('endpoint')}${bulk(host)}${bulk('role')}${bulk('master')}` +
        `${bulk('replication-offset')}:0\r\n${bulk('health')}${bulk('online')}`;
      return Buffer.from(
        `*1\r\n${map(2)}${bulk('slots')}*2\r\n:0\r\n:${SLOTS - 1}\r\n${bulk('nodes')}*1\r\n${node}`,
      );
    }
    case 'NODES':
      return encodeText(
        protocol,
        `${NODE_ID} ${host}:${port}@${port} myself,master - 0 0 1 connected 0-${SLOTS - 1}\n`,
      );
    case 'INFO':
      return encodeText(
        protocol,
        [
          'cluster_state:ok',
          `cluster_slots_assigned:${SLOTS}`,
          `cluster_slots_ok:${SLOTS}`,
          'cluster_slots_pfail:0',
          'cluster_slots_fail:0',
          'cluster_known_nodes:1',
          'cluster_size:1',
          'cluster_current_epoch:1',
          'cluster_my_epoch:1',
          '',
        ].join('\r\n'),
      );
    case 'MYID':
      return encodeBulk(NODE_ID);
    case 'KEYSLOT': {
      const key = Buffer.from(argument, 'latin1');
      return encodeInteger(slotOf(key, 0, key.length));
    }
    case 'HELP':
      return HELP;
    default:
      return encodeError(`ERR unknown subcommand '${subcommand}'. Try CLUSTER HELP.`);
  }
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
