/**
 * Makes the TypeScript types of protos/ (`npm run types`), into src/envoy/protos or the folder given as argument.
 *
 * The same options as in src/envoy/codec.ts: types and encoding must speak of the same field names.
 */
import { spawnSync } from 'node:child_process';
import { globSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const outDir = process.argv[2] ?? `${root}src/envoy/protos`;
const files = globSync('**/*.proto', { cwd: `${root}protos` }).sort();

rmSync(outDir, { recursive: true, force: true });
const { status, stderr } = spawnSync(
  `${root}node_modules/.bin/proto-loader-gen-types`,
  [
    '--keepCase',
    '--longs=Number',
    '--enums=String',
    '--json',
    '--includeDirs=.',
    `--outDir=${outDir}`,
    '--importFileExtension=.ts',
    ...files,
  ],
  { cwd: `${root}protos`, encoding: 'utf8' },
);
if (status !== 0) {
  process.stderr.write(stderr);
  process.exit(1);
}
// Service tables at the top: they belong to a gRPC client made from the protos, which nothing here is.
for (const file of globSync('*.ts', { cwd: outDir })) rmSync(`${outDir}/${file}`);
