/** Rewrites what the golden cases expect (`npm run golden`); the difference is what gets reviewed. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';

import { EXPECTED, linesFor, wrongInputs } from '../wrong-inputs/case.ts';
import { writeExpectedBytes } from './bytes.ts';
import { CASES, OUTPUTS, caseNames, translateCase } from './case.ts';
import { ISTIO_CASES, ISTIO_OUTPUTS, istioCaseNames, translateIstioCase } from './istio-case.ts';

for (const name of caseNames()) {
  writeOutputs(`${CASES}/${name}`, OUTPUTS, await translateCase(name));
}
for (const name of istioCaseNames()) {
  writeOutputs(`${ISTIO_CASES}/${name}`, ISTIO_OUTPUTS, await translateIstioCase(name));
}

const blocks = [];
for (const file of wrongInputs()) blocks.push([`# ${file}`, ...(await linesFor(file))].join('\n'));
writeFileSync(EXPECTED, `${blocks.join('\n\n')}\n`);
await writeExpectedBytes();

function writeOutputs<F extends string>(
  folder: string,
  files: readonly F[],
  outputs: Readonly<Record<F, string>>,
): void {
  for (const file of readdirSync(folder)) {
    if (file !== 'input.yaml') rmSync(`${folder}/${file}`);
  }
  for (const file of files) {
    if (outputs[file] !== '') writeFileSync(`${folder}/${file}`, outputs[file]);
  }
}
