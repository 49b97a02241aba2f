/** Writes docs/fields.md (`npm run fields`). */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { fieldReference } from './field-reference.ts';

writeFileSync(fileURLToPath(new URL('../docs/fields.md', import.meta.url)), fieldReference());
