/**
 * Dockerfile and docker-compose.yml as data, for the tests that hold them to the code.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

export const root = fileURLToPath(new URL('..', import.meta.url));

export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command: readonly string[];
  readonly volumes?: readonly string[];
  readonly network_mode?: string;
  readonly networks?: readonly string[] | { readonly demo: { readonly ipv4_address: string } };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: {
    readonly demo: { readonly ipam: { readonly config: readonly { subnet: string; ip_range: string }[] } };
  };
  readonly volumes: Readonly<Record<string, unknown>>;
}

export const compose = parse(readFileSync(`${root}docker-compose.yml`, 'utf8'), { merge: true }) as Compose;

export function service(name: string): Service {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
}

export function addressOf({ networks }: Service): string | undefined {
  return networks !== undefined && 'demo' in networks ? networks.demo.ipv4_address : undefined;
}

/** The value after a flag; every one where the flag is repeated. */
export function flag(command: readonly string[], name: string): readonly string[] {
  return command.flatMap((word, index) => (command[index - 1] === name ? [word] : []));
}

export interface Instruction {
  readonly name: string;
  readonly words: readonly string[];
}

export interface Stage {
  readonly image: string;
  readonly alias: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** One instruction a line, as in our Dockerfile. */
export const stages: readonly Stage[] = readFileSync(`${root}Dockerfile`, 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .reduce<{ image: string; alias: string | undefined; instructions: Instruction[] }[]>((found, line) => {
    const [name = '', ...words] = line.split(' ');
    if (name === 'FROM') found.push({ image: words[0] ?? '', alias: words[2], instructions: [] });
    else found.at(-1)?.instructions.push({ name, words });
    return found;
  }, []);

export interface Copy {
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

export function copiesOf({ instructions }: Stage): readonly Copy[] {
  return instructions
    .filter(({ name }) => name === 'COPY')
    .map(({ words }) => {
      const paths = words.filter((word) => !word.startsWith('--'));
      const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
      return { from, sources: paths.slice(0, -1), target: paths.at(-1) ?? '' };
    });
}
