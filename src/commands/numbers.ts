/**
 * Numbers and durations as flags take them: each with its bounds, which stand in its help and in what is said of a wrong one.
 */
import { InvalidArgumentError, type Command } from 'commander';

import { parseDuration } from '../api/duration.ts';

/** `example` stands between them. */
export interface DurationBounds {
  readonly min: string;
  readonly max: string;
  readonly example: string;
}

/** A duration, or a number alone, which is milliseconds. */
export function durationBetween({ min, max, example }: DurationBounds): (text: string) => number {
  const [minMs, maxMs] = [min, max].map((bound) => parseDuration(bound).value ?? 0);
  return (text) => {
    const { value: ms } = parseDuration(/^\d+$/.test(text) ? `${text}ms` : text);
    if (ms === undefined || ms < (minMs ?? 0) || ms > (maxMs ?? Infinity))
      throw new InvalidArgumentError(`write a duration from ${min} to ${max}, for example ${example}`);
    return ms;
  };
}

/** So few milliseconds are likelier meant as seconds. */
const FEW_MS = 50;

/** What is to be said of durations that are such a number alone: filled when the command is parsed. */
export function bareDurations(command: Command, ...names: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (const name of names) {
    const given = (text: string): void => {
      if (!/^\d+$/.test(text) || Number(text) >= FEW_MS) return;
      lines.push(
        `--${name} ${text} is taken for ${text} milliseconds; write ${text}s for seconds, or ${text}ms`,
      );
    };
    // In the call, or in the environment.
    command.on(`option:${name}`, given).on(`optionEnv:${name}`, given);
  }
  return lines;
}

/** A whole number from 1 to `max`. */
export function countUpTo(max: number, why = ''): (text: string) => number {
  return (text) => {
    const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    if (count < 1 || count > max)
      throw new InvalidArgumentError(`write a whole number from 1 to ${max}${why}`);
    return count;
  };
}
