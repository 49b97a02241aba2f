/**
 * A command that our table lacks: a module's, a newer Redis', a renamed one. The upstreams are asked what it is.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Command } from '../../redis/command-table.ts';
import { frameOf, type RequestFrame } from '../../redis/request-frame.ts';
import { encodeError, REPLIES } from '../wire/encode.ts';
import { encodeRefusal } from './refused-commands.ts';
import type { Finding } from '../upstream/foreign-commands.ts';
import { pauseMs } from '../upstream/pause.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { countError, countFailed, countUndone, countUnknown } from '../wire/outcomes.ts';
import type { Session } from '../client/session.ts';

const NAME = /^[\w.:-]{1,64}$/;

/** undefined: it is answered, or `again` is called with it later. */
export function recognize(
  session: Session,
  bytes: Buffer,
  frame: RequestFrame,
  again: (bytes: Buffer, frame: RequestFrame) => void,
): Command | undefined {
  const name = startOf(bytes, frame, 0).toLowerCase();
  if (!NAME.test(name)) return answerUnknown(session, bytes, frame, 'unknown');
  const { upstreams } = session.home.routing;
  const findings: Finding[] = [];
  for (const upstream of upstreams) {
    const finding = upstream.foreign.find(name);
    if (finding === undefined) {
      void learn(session, upstream, name, Buffer.from(bytes.subarray(frame.start, frame.at)), again);
      return undefined;
    }
    if (typeof finding === 'object' && 'command' in finding) return finding.command;
    findings.push(finding);
  }
  // What one of them says of it, rather than that another does not know it.
  const told = findings.find((finding) => finding !== 'unknown');
  return answerUnknown(session, bytes, frame, told ?? 'unknown');
}

/** The client waits meanwhile: what it sends next must not overtake. */
async function learn(
  session: Session,
  upstream: Upstream,
  name: string,
  bytes: Buffer,
  again: (bytes: Buffer, frame: RequestFrame) => void,
): Promise<void> {
  const free = session.hold(REPLIES.noUpstreamHost);
  const since = session.cameAt;
  const finding = await askUntilTold(session, upstream, name, since);
  free();
  if (session.isEnding || session.isClosed) return countUndone(countUnknown(), session);
  const frame = frameOf(bytes);
  if (finding === 'unreachable' && isAsked(session, upstream)) answerUnknown(session, bytes, frame, finding);
  // It may go over other connections than what was asked before: meanwhile the plan may have changed.
  else session.afterAnswers(() => session.beginLate(since, () => again(bytes, frame)));
}

/** False: by another plan nothing goes there any more. */
function isAsked({ home }: Session, upstream: Upstream): boolean {
  return home.routing.upstreams.includes(upstream);
}

/** Where nobody can be asked now, the question waits like any command. */
async function askUntilTold(
  session: Session,
  upstream: Upstream,
  name: string,
  since: number,
): Promise<Finding> {
  const until = since + upstream.settings.failoverWaitMs;
  for (;;) {
    const finding = await upstream.foreign.learn(name);
    const isOver = session.isEnding || session.isGone || performance.now() >= until;
    if (finding !== 'unreachable' || isOver || !isAsked(session, upstream)) return finding;
    await sleep(pauseMs(since, until));
  }
}

function answerUnknown(session: Session, bytes: Buffer, frame: RequestFrame, finding: Finding): undefined {
  session.mode?.refused();
  const label = countUnknown();
  if (finding !== 'unknown') {
    const name = startOf(bytes, frame, 0);
    const why =
      typeof finding === 'object' && 'refusal' in finding
        ? finding.refusal
        : 'the proxy does not know it, and no Redis can be asked for it now';
    const reply = encodeRefusal(name, why);
    if (finding === 'unreachable') countFailed(label);
    else countError(label, reply, 0, reply.length);
    session.say(reply);
    return undefined;
  }
  const words = Array.from({ length: Math.min(frame.count, 21) }, (_, index) => startOf(bytes, frame, index));
  const args = words.slice(1).map((word) => `'${word}' `);
  const text = `ERR unknown command '${words[0] ?? ''}', with args beginning with: ${args.join('')}`;
  const reply = encodeError(text);
  countError(label, reply, 0, reply.length);
  session.say(reply);
  return undefined;
}

/** As much of an argument as Redis quotes. */
function startOf(bytes: Buffer, { offsets }: RequestFrame, index: number): string {
  const [start, end] = [offsets[2 * index]!, offsets[2 * index + 1]!];
  return bytes.toString('latin1', start, Math.min(end, start + 128));
}
