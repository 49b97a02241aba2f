/**
 * The command line: one file per command in commands/, and what is common to all.
 *
 * Exit statuses: 0 fine, 1 the work failed, 2 the call was wrong.
 */
import { readFileSync } from 'node:fs';

import { Command, CommanderError, Option } from 'commander';

import { inEnvironment } from './commands/environment.ts';
import { LOG_LEVELS } from './commands/log.ts';
import { endAsFirstProcess } from './commands/stop-asked.ts';
import { withoutUserSignals } from './commands/user-signals.ts';

type CreateCommand = () => Command;

/** Loaded when they are wanted: all of them together take most of a second of processor time, and memory for good. */
const COMMANDS: Readonly<Record<string, () => Promise<CreateCommand>>> = {
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  proxy: async () => (await import('./commands/proxy.ts')).proxyCommand,
  translate: async () => (await import('./commands/translate.ts')).translateCommand,
  validate: async () => (await import('./commands/validate.ts')).validateCommand,
  bootstrap: async () => (await import('./commands/bootstrap.ts')).bootstrapCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  xds: async () => (await import('./commands/xds.ts')).xdsCommand,
  certs: async () => (await import('./commands/certs.ts')).certsCommand,
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
};

/** What these arguments need: the command that they name, or all of them, for help and for suggestions. */
export async function loadCommands(args: readonly string[] = []): Promise<readonly CreateCommand[]> {
  const isValue = (index: number): boolean => args[index - 1] === '--log-level';
  const first = args.find((arg, index) => !arg.startsWith('-') && !isValue(index));
  const load = first === undefined || !Object.hasOwn(COMMANDS, first) ? undefined : COMMANDS[first];
  if (load !== undefined) return [await load()];
  if (first === undefined && args.includes('--version')) return [];
  return await Promise.all(Object.values(COMMANDS).map(async (loadEach) => await loadEach()));
}

/** To who asks for the help of a command that there is not Commander would show the help of everything. */
function withoutHelp(args: readonly string[]): readonly string[] {
  const [first, asked] = args;
  const isKnown = asked === undefined || asked.startsWith('-') || Object.hasOwn(COMMANDS, asked);
  return first === 'help' && !isKnown && asked !== 'help' ? [asked] : args;
}

/** The whole command line, for `run` and for those who want to check a call without making it. */
export function createProgram(commands: readonly CreateCommand[]): Command {
  const program = new Command('redpilot')
    .description('Control plane that turns RedisService objects into Envoy configuration')
    .version(version())
    .addOption(logLevelOption())
    .showHelpAfterError(false)
    // What is said before the command's name holds for the command.
    .hook('preAction', (outer, command) => {
      if (outer.getOptionValueSource('logLevel') !== 'cli') return;
      command.setOptionValueWithSource('logLevel', outer.getOptionValue('logLevel'), 'cli');
    });
  for (const create of commands) program.addCommand(create());
  for (const [command, path] of withNested(program, '')) {
    if (command !== program && command.commands.length === 0) {
      const option = logLevelOption();
      command.addOption(RUNNING.has(command.name()) ? inEnvironment(option) : option);
    }
    command.exitOverride();
    command.configureOutput({
      outputError: (text, write) =>
        write(
          `redpilot: ${inOneLine(withoutCredentials(text))}${behindConfig(text, command)}; ${remedy(path)}\n`,
        ),
    });
  }
  return program;
}

/**
 * Commander repeats what it was given: an address may have been written with a password before it, and what stands behind a
 * flag that there is not may be one (--upstream-password=…).
 */
function withoutCredentials(text: string): string {
  return text
    .replace(/(unknown option '[^=\s']*=)[^]*'/, "$1…'")
    .replace(/((?:argument|value|unknown command|unknown option) '|but got \d+: )[^\n]*@/, '$1…@');
}

/** Who comes from `validate objects/` tries the same with others. */
function behindConfig(text: string, command: Command): string {
  const isMissing =
    text.includes('too many arguments') && command.options.some(({ long }) => long === '--config');
  return isMissing ? '; give what is to be read behind --config' : '';
}

/** npm keeps the flags before its `--` to itself and hands on what is left of them. */
function remedy(path: string): string {
  return process.env['npm_lifecycle_event'] === 'start'
    ? 'flags of the demo stand behind --, as in npm start -- --seconds 20'
    : `see redpilot ${path}--help`;
}

function withNested(command: Command, path: string): readonly (readonly [command: Command, path: string])[] {
  const nested = command.commands.flatMap((inner) => withNested(inner, `${path}${inner.name()} `));
  return [[command, path], ...nested];
}

/** What runs in containers, where the environment is easier to change than a command. */
const RUNNING: ReadonlySet<string> = new Set(['serve', 'proxy']);

function logLevelOption(): Option {
  return new Option('--log-level <level>', 'what to log on stderr').choices(LOG_LEVELS).default('info');
}

function inOneLine(text: string): string {
  return text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s+/g, ' ')
    .replace(/\.$/, '');
}

/** Half of libuv's may look up names at a time; by default two, which two names hold up that no name server answers for. */
const THREADS = '64';

/** Sets process.exitCode; never throws. */
export async function run(args: readonly string[]): Promise<void> {
  // Heeded where it comes before the first work for them.
  process.env['UV_THREADPOOL_SIZE'] ??= THREADS;
  endAsFirstProcess();
  withoutUserSignals();
  process.on('unhandledRejection', (error) => {
    process.stderr.write(`redpilot: ${messageOf(error)}\n`);
    process.exit(1);
  });
  // Who read our output has seen enough (`| head`).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`redpilot: standard output: ${error.message}\n`);
    // What is known by then holds: objects with errors are no better for it.
    process.exit(error.code === 'EPIPE' ? process.exitCode : 1);
  });
  // What nobody can be told costs no result.
  process.stderr.on('error', () => {});
  try {
    const known = withoutHelp(args);
    await createProgram(await loadCommands(known)).parseAsync([...known], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    process.stderr.write(`redpilot: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return (manifest as { readonly version: string }).version;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

if (import.meta.main) await run(process.argv.slice(2));
