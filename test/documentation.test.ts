import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { createProgram, loadCommands } from '../src/cli.ts';
import { pages, readme } from './documentation.ts';

const allCommands = await loadCommands();
const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

test('README has objects and commands to begin with', () => {
  assert.equal(readme.yaml.length, 1);
  assert.ok(readme.commands.length > 4, readme.commands.join('\n'));
});

/** As a shell splits them, without what it does to the output. */
function wordsOf(command: string): readonly string[] {
  const [call = ''] = command.split(/ [>|] /);
  return [...call.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
}

for (const { file, yaml, commands } of pages) {
  for (const [index, objects] of yaml.entries()) {
    test(`${file}: objects ${index + 1} are valid, every field included`, () => {
      const { stdout, stderr } = spawnSync(process.execPath, [CLI, 'validate', '-'], {
        input: objects,
        encoding: 'utf8',
      });
      // What the objects refer to need not be on the page.
      assert.doesNotMatch(stdout, /SyntaxError|InvalidValue|UnknownField|Duplicate/);
      assert.match(stderr, /^[1-9]\d* objects?:/);
    });
  }
  for (const command of commands.filter((line) => line.startsWith('redpilot '))) {
    test(`${file}: "${command}" is a call that the command line takes`, () => {
      const program = createProgram(allCommands);
      for (const each of program.commands.flatMap((outer) => [outer, ...outer.commands]))
        each.action(() => {});
      assert.doesNotThrow(() => program.parse(wordsOf(command).slice(1), { from: 'user' }));
    });
  }
  for (const command of commands.filter((line) => line.startsWith('npm '))) {
    test(`${file}: "${command}" runs a script that exists`, () => {
      const [, first = '', second = ''] = command.split(' ');
      const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
      const { scripts } = JSON.parse(manifest) as { readonly scripts: Readonly<Record<string, string>> };
      assert.ok((first === 'run' ? second : first) in scripts);
    });
  }
}

test('the pages of the proxy have every flag of it, and no variable that there is not', () => {
  const text = pages
    .filter(({ file }) => file.startsWith('docs/proxy'))
    .map(({ text }) => text)
    .join('');
  const { options } = createProgram(allCommands).commands.find((each) => each.name() === 'proxy')!;
  const group = (flag: string): string => flag.replace(/^--tls-listener-.*/, '--tls-listener-');
  const missing = options.map(({ long }) => String(long)).filter((flag) => !text.includes(group(flag)));
  assert.deepEqual(missing, []);
  const variables = new Set(options.map(({ envVar }) => envVar));
  const named = [...text.matchAll(/`(REDPILOT_\w+)`/g)].map(([, name]) => name);
  assert.ok(named.length > 3);
  assert.deepEqual(
    named.filter((name) => !variables.has(name)),
    [],
  );
});
