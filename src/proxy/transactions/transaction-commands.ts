/**
 * Commands that are not queued in a transaction, or not asked where its client watches keys.
 */
import { KIND, type Command } from '../../redis/command-table.ts';
import type { RequestFrame } from '../../redis/request-frame.ts';
import { mayWait } from '../commands/blocking.ts';

/** They end a transaction. */
export const ENDING = new Set(['quit', 'reset']);
/** Answered here; queued, Redis would speak of another connection, or of itself. CONFIG: its passwords would be in EXEC's reply. */
const APART = new Set(['auth', 'hello', 'client', 'cluster', 'config']);

/** Not on the connection that watches, which must go on answering one command after the other. */
export function isApart(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
  const { kind, name } = command;
  if (kind === KIND.blocking) return mayWait(bytes, frame, command);
  return kind === KIND.pubsub || APART.has(name);
}

export function isNeverQueued({ kind, name }: Command): boolean {
  return kind === KIND.pubsub || kind === KIND.refused || APART.has(name);
}
