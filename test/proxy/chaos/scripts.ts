/**
 * Scripts and functions, each of which does what one command of one key does. Nodes tell each other nothing of scripts; functions all have.
 */
import { createHash } from 'node:crypto';

import { KNOWN_MS, type NodeState } from './state.ts';

export const NOSCRIPT = 'NOSCRIPT No matching script. Please use EVAL.';
/** Nobody knows what it does before it does it. */
export const READONLY_SCRIPT =
  "READONLY You can't write against a read only replica. script: f_0, on @user_script:1.";

const shaOf = (text: string): string => createHash('sha1').update(text).digest('hex');

export interface Script {
  readonly text: string;
  readonly sha: string;
}

const COMMANDS = ['GET', 'SET', 'APPEND'] as const;
export const SCRIPTS: readonly Script[] = COMMANDS.map((name) => {
  const text = `return redis.call('${name}', KEYS[1], unpack(ARGV))`;
  return { text, sha: shaOf(text) };
});

export const isScript = ([name = '']: readonly string[]): boolean => /^(?:EVAL|FCALL)/i.test(name);

export type Form = 'EVAL' | 'EVALSHA' | 'FCALL';

/** What does the same. */
export function asScript([name = '', ...args]: readonly string[], form: Form): string[] {
  const { text, sha } = SCRIPTS[COMMANDS.findIndex((each) => each === name)]!;
  const suffix = name === 'GET' ? '_RO' : '';
  const called = { EVAL: text, EVALSHA: sha, FCALL: name };
  return [`${form}${suffix}`, called[form], '1', ...args];
}

/** SCRIPT LOAD; returns what it is called by. */
export function load({ scripts }: NodeState, text: string): string {
  const sha = shaOf(text);
  scripts.add(sha);
  return sha;
}

/** What it does; undefined: the node has never seen it. */
export function scriptedCommand(
  node: NodeState,
  [run = '', script = '', , ...keyAndArgs]: readonly string[],
): readonly string[] | undefined {
  if (/^FCALL/i.test(run)) return [script, ...keyAndArgs];
  const isKnown = /^EVALSHA/i.test(run);
  const sha = isKnown ? script : load(node, script);
  if (!node.scripts.has(sha)) {
    missed(node, sha);
    return undefined;
  }
  return [COMMANDS[SCRIPTS.findIndex((each) => each.sha === sha)]!, ...keyAndArgs];
}

/** Whoever has been primary since before a script was loaded at all primaries has got it. */
function missed({ cluster, name, primarySince, isPrimary, isZombie }: NodeState, sha: string): void {
  const { ledger, isPlain, label, hasSteadyRoutes } = cluster;
  ledger.count('unknown scripts');
  const loadedAt = ledger.loadedAt(sha);
  // Of other routes they are told, and nobody waits for what they say.
  if (label !== 'node' || !hasSteadyRoutes) return;
  if (isPlain || isZombie || !isPrimary || loadedAt === undefined) return;
  if (loadedAt > primarySince + KNOWN_MS)
    ledger.violation(`${name} has not got ${sha}, which all primaries have`, [sha, name, 'SCRIPT']);
}
