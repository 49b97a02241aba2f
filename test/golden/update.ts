/** Rewrites what the golden cases expect (`npm run golden`); the difference is what gets reviewed. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';

import { EXPECTED, linesFor, wrongInputs } from '../wrong-inputs/case.ts';
import { writeExpectedBytes } from './bytes.ts';
import { CASES, OUTPUTS, caseNames, translateCase } from './case.ts';

for (const name of caseNames()) {
  for (const file of readdirSync(`${CASES}/${name}`)) {
    if (file !== 'input.yaml') rmSync(`${CASES}/${name}/${file}`);
  }
  const outputs = await translateCase(name);
  for (const file of OUTPUTS) {
    if (outputs[file] !== '') writeFileSync(`${CASES}/${name}/${file}`, outputs[file]);
  }
}

const blocks = [];
for (const file of wrongInputs()) blocks.push([`# ${file}`, ...(await linesFor(file))].join('\n'));
writeFileSync(EXPECTED, `${blocks.join('\n\n')}\n`);
await writeExpectedBytes();
