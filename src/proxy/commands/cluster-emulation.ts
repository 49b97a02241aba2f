/**
 * CLUSTER: to a client that insists on a cluster the proxy is one of a single node, itself.
 */
import { isKeyword } from '../../redis/keys.ts';
import { SLOTS, slotOf } from '../../redis/slots.ts';
import {
  bulk,
  encodeBulk,
  encodeError,
  encodeInteger,
  encodeList,
  encodeStatus,
  encodeText,
  encodeWrongCount,
} from '../wire/encode.ts';
import type { LocalState } from '../client/local-state.ts';
import { ADMINISTRATION, encodeRefusal } from './refused-commands.ts';

/** Any 40 hexadecimal digits will do, so long as they stay the same. */
const NODE_ID = 'ed'.repeat(20);

/** What is there, for people. */
const HELP = encodeList(
  [
    'CLUSTER <subcommand> [<arg> ...], of the proxy: a cluster of one node, itself. Subcommands are:',
    'INFO, LINKS, MYID, MYSHARDID, NODES, SHARDS, SLOTS',
    '    What that cluster looks like.',
    'COUNT-FAILURE-REPORTS <node-id>, REPLICAS <node-id>, SLAVES <node-id>',
    '    Of its one node: there are none.',
    'KEYSLOT <key>',
    '    The slot of a key.',
    'COUNTKEYSINSLOT <slot>, GETKEYSINSLOT <slot> <count>',
    '    Asked of the node behind it that has the slot.',
    'HELP',
    '    Print this help.',
  ].map(encodeStatus),
);

/** Words, itself included. */
const COUNTS = new Map([
  ...['SLOTS', 'SHARDS', 'NODES', 'INFO', 'LINKS', 'MYID', 'MYSHARDID', 'HELP'].map(
    (name) => [name, 1] as const,
  ),
  ...['KEYSLOT', 'REPLICAS', 'SLAVES', 'COUNT-FAILURE-REPORTS', 'COUNTKEYSINSLOT'].map(
    (name) => [name, 2] as const,
  ),
  ['GETKEYSINSLOT', 3],
]);

/** Of a node behind the proxy. */
const OF_SLOTS = ['COUNTKEYSINSLOT', 'GETKEYSINSLOT'];

const FOR_ADMINISTRATORS = new Set(
  (
    'ADDSLOTS ADDSLOTSRANGE BUMPEPOCH CANCELSLOTMIGRATIONS DELSLOTS DELSLOTSRANGE FAILOVER FLUSHSLOT FLUSHSLOTS FORGET MEET ' +
    'MIGRATESLOTS MIGRATION REPLICATE RESET SAVECONFIG SET-CONFIG-EPOCH SETSLOT SYNCSLOTS'
  ).split(' '),
);
/** Each node tells of itself. */
const OF_NODES = new Set(['GETSLOTMIGRATIONS', 'SLOT-STATS']);

/** Which slot the command asks about, which its node answers; undefined: it does not, or is a mistake that any node tells of. */
export function slotAskedAbout([subcommand = '', slot = '', ...others]: readonly string[]):
  | number
  | 'any'
  | undefined {
  const name = OF_SLOTS.find((each) => isKeyword(subcommand, each));
  if (name === undefined || COUNTS.get(name) !== others.length + 2) return undefined;
  return /^\d{1,5}$/.test(slot) && Number(slot) < SLOTS ? Number(slot) : 'any';
}

export function answerCluster(state: LocalState, args: readonly string[]): Buffer {
  const [subcommand = '', argument = ''] = args;
  const { localHost: host, localPort: port, protocol } = state;
  const map = (pairs: number): string => (protocol === 3 ? `%${pairs}\r\n` : `*${2 * pairs}\r\n`);
  const name = subcommand.toUpperCase();
  const count = COUNTS.get(name);
  if (count !== undefined && count !== args.length) {
    return encodeWrongCount(`cluster|${subcommand.toLowerCase()}`);
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
    case 'MYSHARDID':
      return encodeBulk(NODE_ID);
    case 'LINKS':
      return encodeList([]);
    case 'REPLICAS':
    case 'SLAVES':
      return argument === NODE_ID ? encodeList([]) : unknownNode(argument);
    case 'COUNT-FAILURE-REPORTS':
      return argument === NODE_ID ? encodeInteger(0) : unknownNode(argument);
    case 'COUNTKEYSINSLOT':
    case 'GETKEYSINSLOT':
      return notHere(name, 'plain servers have no slots');
    case 'KEYSLOT': {
      const key = Buffer.from(argument, 'latin1');
      return encodeInteger(slotOf(key, 0, key.length));
    }
    case 'HELP':
      return HELP;
    default:
      if (FOR_ADMINISTRATORS.has(name)) return notHere(name, ADMINISTRATION);
      if (OF_NODES.has(name)) return notHere(name, 'each node tells of itself, if it is asked directly');
      return encodeError(`ERR unknown subcommand '${subcommand}'. Try CLUSTER HELP.`);
  }
}

function unknownNode(id: string): Buffer {
  return encodeError(`ERR Unknown node ${id}`);
}

function notHere(subcommand: string, why: string): Buffer {
  return encodeRefusal(`cluster|${subcommand.toLowerCase()}`, why);
}
