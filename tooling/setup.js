/**
 * Installs what the repository's scripts need, once: `npm ci`, when the lockfile is newer than what is installed.
 *
 * Plain JavaScript for the machine's own Node, whatever its age: nothing else is there in a fresh clone.
 */
import { spawn } from 'node:child_process';
import { existsSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const lock = `${root}package-lock.json`;
const modules = `${root}node_modules`;
// npm writes it last.
const installed = `${modules}/.package-lock.json`;

const ARGS = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
/** Ctrl-C and Ctrl-\, a terminal that closes, a kill. */
const STOPPING = ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM'];
/** npm takes its changes back at a signal; what it can't by then is removed by the next start. */
const STOP_LIMIT_MS = 1_000;
/** Somebody else's npm may still be at work here: one that was left behind. */
const ATTEMPTS = 3;

const upToDate = existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
if (!upToDate) {
  process.stderr.write('installing npm packages (once)...\n');
  const problem = await install(ATTEMPTS);
  if (problem !== undefined) {
    process.stderr.write(`${problem}; run npm ci by hand in the repository for its full output\n`);
    process.exit(1);
  }
}

/** Resolves to what went wrong. */
async function install(attempts) {
  const { error, status, said } = await npmCi();
  if (error !== undefined) return `npm can't be started (${error.code})`;
  if (status === 0) return undefined;
  if (attempts > 1 && said.includes('ENOTEMPTY')) return await install(attempts - 1);
  process.stderr.write(said);
  return 'npm ci failed';
}

function npmCi() {
  removeHalfMade();
  // A process group of its own: a terminal's Ctrl-C is for us alone, who wait until npm has ended.
  const child = spawn('npm', ARGS, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  let asked;
  const stop = (signal) => {
    asked ??= signal;
    // At the first time it may clean up.
    killGroup(child, asked === signal ? 'SIGTERM' : 'SIGKILL');
    setTimeout(() => killGroup(child, 'SIGKILL'), STOP_LIMIT_MS).unref();
  };
  for (const signal of STOPPING) process.on(signal, stop);
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ error }));
    child.on('close', (status) => {
      for (const signal of STOPPING) process.removeListener(signal, stop);
      // As the signal would have ended us, so that whoever started us goes no further.
      if (asked === undefined) resolve({ status, said });
      else process.kill(process.pid, asked);
    });
  });
}

/** What a stopped installation left behind; npm stumbles over it where another npm still writes there. */
function removeHalfMade() {
  if (!existsSync(installed))
    rmSync(modules, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has just ended.
  }
}
