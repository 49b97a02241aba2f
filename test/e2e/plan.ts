/** Objects as YAML → their plan, as `translate` makes it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { translateObjects } from '../../src/commands/translate-objects.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { readFiles } from '../../src/sources/files/read.ts';

export async function planOf(yaml: string): Promise<ReturnType<typeof translateObjects>> {
  const folder = await temporaryFolder('plan');
  try {
    const file = join(folder, 'objects.yaml');
    await writeFile(file, yaml);
    return translateObjects((await readFiles([file])).objects);
  } finally {
    await removeFolder(folder);
  }
}
