/**
 * Writes src/redis/command-data.ts from what live servers say of their commands: Redis' and Valkey's together.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { findRedis } from '../src/demo/binaries.ts';
import { removeFolder, temporaryFolder } from '../src/demo/child-process.ts';
import { startRedis, stopRedis } from '../src/demo/redis-node.ts';
import { formatSpecLine, specOfEntry, type CommandEntry } from '../src/redis/command-spec.ts';

const lines = new Map<string, string>();
const versions: string[] = [];
// What both know is taken from the later one of the list.
for (const from of ['path', 'wheel'] as const) {
  const { server, flavour, version } = await findRedis({ from });
  const folder = await temporaryFolder('commands');
  const node = await startRedis({ server, folder });
  for (const entry of (await node.client.call('COMMAND')) as CommandEntry[]) {
    const spec = specOfEntry(entry);
    lines.set(spec.name, formatSpecLine(spec));
  }
  versions.push(`${flavour} ${version}`);
  await stopRedis(node);
  await removeFolder(folder);
}
const text = `/**
 * The commands of ${versions.join(' and ')}, a line each; command-spec.ts says how to read them.
 *
 * Made by tooling/commands.ts; a test holds it to live servers.
 */
export const COMMAND_LINES = \`
${[...lines.values()].sort().join('\n')}
\`;
`;
writeFileSync(fileURLToPath(new URL('../src/redis/command-data.ts', import.meta.url)), text);
process.exit();
