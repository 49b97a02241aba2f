/**
 * CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR, in Redis' words where it has some.
 */
import type { Command } from '../../redis/command-table.ts';
import { wordAt, type RequestFrame } from '../../redis/request-frame.ts';
import type { LocalState } from '../client/local-state.ts';
import type { Session } from '../client/session.ts';
import { Tracking } from '../client/tracking.ts';
import { bulk, encodeError, encodeWrongCount, REPLIES } from '../wire/encode.ts';
import { encodeRefusal } from './refused-commands.ts';

const SYNTAX = encodeError('ERR syntax error');
const NO_INTEGER = encodeError('ERR value is not an integer or out of range');
const NO_BCAST = encodeError('ERR PREFIX option requires BCAST mode to be enabled');
const BOTH_MODES = encodeError("ERR You can't specify both OPTIN mode and OPTOUT mode");
const OTHER_MODE = encodeError(
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
);
const NOT_IN_MODE = encodeError(
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled',
);
const NOT_OPTIN = encodeError('ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.');
const NOT_OPTOUT = encodeError(
  'ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.',
);

function refused(why: string): Buffer {
  return encodeRefusal('client|tracking', why);
}

const RESP3_ONLY = refused(
  'it is told over the same connection what has changed, in RESP3; send HELLO 3 before',
);
const NO_REDIRECT = refused(
  'leave REDIRECT out: in RESP3 (HELLO 3) a connection is told of its own what has changed',
);
const NOT_BCAST = refused('leave BCAST out: told is what was read');

interface Asked {
  readonly names: ReadonlySet<string>;
  readonly isRedirected: boolean;
}

/** What follows it may go over other connections. */
export function isTracking(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
  if (command.name !== 'client' || frame.count < 2) return false;
  return wordAt(bytes, frame)(1).toUpperCase() === 'TRACKING';
}

/** `args`: what follows TRACKING. */
export function answerTracking(session: Session, args: readonly string[]): Buffer {
  const [first, ...options] = args;
  if (first === undefined) return encodeWrongCount('client|tracking');
  const asked = readOptions(options);
  if (Buffer.isBuffer(asked)) return asked;
  const { local } = session;
  switch (first.toUpperCase()) {
    case 'ON':
      return trackingOn(session, asked);
    case 'OFF':
      local.track(null);
      return REPLIES.ok;
    default:
      return SYNTAX;
  }
}

function readOptions(options: readonly string[]): Asked | Buffer {
  const names = new Set<string>();
  let isRedirected = false;
  for (let at = 0; at < options.length; at++) {
    const name = options[at]!.toUpperCase();
    const isLast = at === options.length - 1;
    switch (name) {
      case 'BCAST':
      case 'OPTIN':
      case 'OPTOUT':
      case 'NOLOOP':
        names.add(name);
        break;
      case 'PREFIX':
      case 'REDIRECT':
        if (isLast) return SYNTAX;
        at += 1;
        if (name === 'REDIRECT' && !/^-?\d{1,18}$/.test(options[at]!)) return NO_INTEGER;
        if (name === 'REDIRECT') isRedirected = true;
        else names.add(name);
        break;
      default:
        return SYNTAX;
    }
  }
  return { names, isRedirected };
}

function trackingOn(session: Session, { names, isRedirected }: Asked): Buffer {
  const { local } = session;
  if (isRedirected) return NO_REDIRECT;
  if (names.has('PREFIX') && !names.has('BCAST')) return NO_BCAST;
  if (names.has('BCAST')) return NOT_BCAST;
  if (names.has('OPTIN') && names.has('OPTOUT')) return BOTH_MODES;
  const mode = names.has('OPTIN') ? 'optin' : names.has('OPTOUT') ? 'optout' : 'all';
  const before = local.tracking?.options.mode ?? 'all';
  if (mode !== before && mode !== 'all' && before !== 'all') return OTHER_MODE;
  if (local.protocol === 2) return RESP3_ONLY;
  for (const { invalidations } of session.home.routing.ways) {
    const { refusal } = invalidations;
    if (refusal !== undefined) return refused(`a server behind it answers: ${refusal}`);
  }
  const options = { mode, isNoLoop: names.has('NOLOOP') } as const;
  if (local.tracking === null) local.track(new Tracking(session, options));
  else local.tracking.options = options;
  return REPLIES.ok;
}

/** All that it reads is tracked, whatever it says: what is told of more than it keeps does no harm. */
export function answerCaching({ tracking }: LocalState, args: readonly string[]): Buffer {
  const [which, ...rest] = args;
  if (which === undefined || rest.length > 0) return encodeWrongCount('client|caching');
  if (tracking === null) return NOT_IN_MODE;
  switch (which.toUpperCase()) {
    case 'YES':
      return tracking.options.mode === 'optin' ? REPLIES.ok : NOT_OPTIN;
    case 'NO':
      return tracking.options.mode === 'optout' ? REPLIES.ok : NOT_OPTOUT;
    default:
      return SYNTAX;
  }
}

export function trackingInfo({ tracking, protocol }: LocalState): Buffer {
  const flags: string[] = [];
  if (tracking === null) {
    flags.push('off');
  } else {
    const { mode, isNoLoop } = tracking.options;
    flags.push('on');
    if (mode !== 'all') flags.push(mode);
    if (isNoLoop) flags.push('noloop');
  }
  const [map, set] = protocol === 3 ? ['%3', '~'] : ['*6', '*'];
  const pairs = [
    `${bulk('flags')}${set}${flags.length}\r\n${flags.map(bulk).join('')}`,
    `${bulk('redirect')}:${redirection(tracking)}\r\n`,
    `${bulk('prefixes')}*0\r\n`,
  ];
  return Buffer.from(`${map}\r\n${pairs.join('')}`);
}

/** To nobody, or that there is nothing to be told. */
export function redirection(tracking: Tracking | null): 0 | -1 {
  return tracking === null ? -1 : 0;
}
