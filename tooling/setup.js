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

// At that level npm says which answers it had.
const ARGS = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=http'];
const ANSWER = /^npm http (?:cache|fetch \w+ [23]\d\d) /gm;
const LOST = /^npm error code (?:ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|FETCH_ERROR)/m;
const UNREACHABLE =
  'the npm registry does not answer; name a proxy with HTTPS_PROXY, or a mirror with npm config set registry URL';
/** So often it is said how far it is. */
const LOOK_MS = 10_000;
/** Without any answer by then npm is stopped: itself it tries for a quarter of an hour where nothing ever answers. */
const SILENT_MS = 30_000;
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
  const { error, status, said, isUnreachable } = await npmCi();
  if (error !== undefined) return `npm can't be started (${error.code})`;
  if (status === 0) return undefined;
  if (attempts > 1 && said.includes('ENOTEMPTY')) return await install(attempts - 1);
  process.stderr.write(said.replaceAll(/^npm (?:http|warn|notice) .*\n/gm, ''));
  return isUnreachable ? UNREACHABLE : 'npm ci failed';
}

function npmCi() {
  removeHalfMade();
  let asked;
  const stop = (signal) => {
    asked ??= signal;
    // At the first time it may clean up.
    killGroup(child, asked === signal ? 'SIGTERM' : 'SIGKILL');
    setTimeout(() => killGroup(child, 'SIGKILL'), STOP_LIMIT_MS).unref();
  };
  // Before npm runs: one of them in between would end us without it.
  for (const signal of STOPPING) process.on(signal, stop);
  // A process group of its own: a terminal's Ctrl-C is for us alone, who wait until npm has ended.
  const child = spawn('npm', ARGS, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  const startedMs = Date.now();
  let isSilent = false;
  const look = setInterval(() => {
    const answers = said.match(ANSWER)?.length ?? 0;
    const waitedMs = Date.now() - startedMs;
    const state = answers > 0 ? `${answers} answers so far` : 'no answer of the registry yet';
    process.stderr.write(`installing npm packages: ${state} (${Math.round(waitedMs / 1_000)} s)\n`);
    isSilent = answers === 0 && waitedMs >= SILENT_MS;
    if (isSilent) killGroup(child, 'SIGKILL');
  }, LOOK_MS);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      clearInterval(look);
      resolve({ error });
    });
    child.on('close', (status) => {
      clearInterval(look);
      for (const signal of STOPPING) process.removeListener(signal, stop);
      // As the signal would have ended us, so that whoever started us goes no further.
      const isUnreachable = isSilent || (LOST.test(said) && said.match(ANSWER) === null);
      if (asked === undefined) resolve({ status, said, isUnreachable });
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
