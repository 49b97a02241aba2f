/**
 * Commands that our table lacks, as their server describes them: modules', a newer Redis', renamed ones.
 */
import { specOfEntry, type CommandEntry } from './command-spec.ts';
import { KIND, allCommands, commandByName, commandOf, type Command, type Kind } from './command-table.ts';

/** The command, or why it is not carried out. */
export type Foreign = { readonly command: Command } | { readonly refusal: string };

/** Of a known command under another name: what needs nothing but its keys. */
const UNDER_ANY_NAME: ReadonlySet<Kind> = new Set([
  KIND.keyed,
  KIND.split,
  KIND.movable,
  KIND.keyless,
  KIND.blocking,
]);

/** `name`: as it was asked for, in lower case; a renamed command's entry has the name from before. */
export function foreignCommand(name: string, entry: CommandEntry): Foreign {
  const [original, , flags] = entry;
  const known = commandByName(original);
  if (known !== undefined && !UNDER_ANY_NAME.has(known.kind)) {
    return { refusal: `it is ${known.name} under another name` };
  }
  if (flags.includes('admin')) return { refusal: 'it is for administrators' };
  const spec = specOfEntry([name, ...entry.slice(1)] as unknown as CommandEntry);
  if (flags.includes('movablekeys') && spec.keys.length === 0) {
    return { refusal: 'Redis does not say where its keys are' };
  }
  const command = commandOf(spec, allCommands().length);
  if (!UNDER_ANY_NAME.has(command.kind)) return { refusal: 'it subscribes' };
  return { command };
}
