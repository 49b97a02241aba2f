/**
 * The command line: one file per command in commands/, and what is common to all.
 *
 * Exit statuses: 0 fine, 1 the work failed, 2 the call was wrong.
 */
import { readFileSync } from 'node:fs';

import { Command, CommanderError, Option } from 'commander';

import { bootstrapCommand } from './commands/bootstrap.ts';
import { certsCommand } from './commands/certs.ts';
import { demoCommand } from './commands/demo.ts';
import { LOG_LEVELS } from './commands/log.ts';
import { proxyCommand } from './commands/proxy.ts';
import { serveCommand } from './commands/serve.ts';
import { statusCommand } from './commands/status.ts';
import { translateCommand } from './commands/translate.ts';
import { validateCommand } from './commands/validate.ts';
import { xdsCommand } from './commands/xds.ts';

const COMMANDS = [
  serveCommand,
  proxyCommand,
  translateCommand,
  validateCommand,
  bootstrapCommand,
  statusCommand,
  xdsCommand,
  certsCommand,
  demoCommand,
];

/** The whole command line, for `run` and for those who want to check a call without making it. */
export function createProgram(): Command {
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
  for (const create of COMMANDS) program.addCommand(create());
  for (const [command, path] of withNested(program, '')) {
    if (command !== program && command.commands.length === 0) command.addOption(logLevelOption());
    command.exitOverride();
    command.configureOutput({
      outputError: (text, write) => write(`redpilot: ${inOneLine(text)}; ${remedy(path)}\n`),
    });
  }
  return program;
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

/** Sets process.exitCode; never throws. */
export async function run(args: readonly string[]): Promise<void> {
  process.on('unhandledRejection', (error) => {
    process.stderr.write(`redpilot: ${messageOf(error)}\n`);
    process.exit(1);
  });
  // Who read our output has seen enough (`| head`).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`redpilot: standard output: ${error.message}\n`);
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  try {
    await createProgram().parseAsync([...args], { from: 'user' });
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
