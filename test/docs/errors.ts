// npm run docs:errors: writes the table of docs/errors.md from the codes.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/lib/package-root.ts';
import { errorsPage } from '../harness/errors-page.ts';

const file = join(packageRoot(), 'docs/errors.md');
writeFileSync(file, errorsPage(readFileSync(file, 'utf8')));
