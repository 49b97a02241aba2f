/**
 * README.md and docs/ as data: the examples in them, for the tests that run these.
 */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export interface Page {
  readonly file: string;
  readonly text: string;
  /** Fenced as `yaml`. */
  readonly yaml: readonly string[];
  /** Indented by four spaces, without their comments. */
  readonly commands: readonly string[];
}

export const pages: readonly Page[] = globSync(['*.md', 'docs/*.md'], { cwd: root }).map((file) => {
  const text = readFileSync(`${root}${file}`, 'utf8');
  const yaml = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = '']) => block);
  const commands = [...text.replaceAll(/\\\n +/g, '').matchAll(/^ {4}((?:redpilot|envoy|npm) .*)$/gm)].map(
    ([, line = '']) => line.replace(/\s+#.*$/, ''),
  );
  return { file, text, yaml, commands };
});

export const readme: Page = pages.find(({ file }) => file === 'README.md') ?? {
  file: 'README.md',
  text: '',
  yaml: [],
  commands: [],
};
