/**
 * Flags in the environment: REDPILOT_ and the flag's name, for whoever writes a compose file.
 */
import type { Command, Option } from 'commander';

import { nearest } from '../api/suggestion.ts';

const PREFIX = 'REDPILOT_';

/** What Kubernetes tells each container of a Service named redpilot, or redpilot-something. */
const OF_KUBERNETES =
  /_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?$/;

/**
 * An empty variable is what a compose file makes of `${LISTEN:-}`: as good as none. `isEmptyWrong`: where to go without
 * would open something.
 */
export function inEnvironment(option: Option, { isEmptyWrong = false } = {}): Option {
  const variable = variableOf(option);
  return process.env[variable] === '' && !isEmptyWrong ? option : option.env(variable);
}

/**
 * Variables that were probably meant for this command, and are not. Of one whose value stands in the call it is known what
 * it is for: Kubernetes puts it there in the place of `$(REDPILOT_NODE)`.
 */
export function misspeltVariables(
  command: Command,
  environment = process.env,
  args: readonly string[] = process.argv,
): readonly string[] {
  const known = command.options.filter(({ envVar }) => envVar !== undefined);
  const names = new Map(known.map((option) => [option.name(), option]));
  return Object.entries(environment).flatMap(([variable, value = '']) => {
    if (!variable.toUpperCase().startsWith(PREFIX) || value === '' || OF_KUBERNETES.test(variable)) return [];
    if (args.some((arg) => arg === value || arg.endsWith(`=${value}`))) return [];
    const name = variable.slice(PREFIX.length).toLowerCase().replaceAll('_', '-');
    const flag = command.options.find((option) => option.name() === name);
    if (flag?.envVar === variable) return [];
    if (flag !== undefined && flag.envVar === undefined)
      return [`${variable} has no effect: give ${flag.long} as a flag`];
    const meant = names.get(nearest(name, [...names.keys()]) ?? '');
    return meant === undefined ? [] : [`${variable} has no effect: did you mean ${meant.envVar}?`];
  });
}

function variableOf(option: Option): string {
  return `${PREFIX}${option.name().toUpperCase().replaceAll('-', '_')}`;
}
