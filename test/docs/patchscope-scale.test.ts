import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { file, printed, table, wrapped } from './patchscope-scale.ts';

test('the tables of docs/patchscope-scale.md are what the choice does (npm run docs:scales writes them)', () => {
  expect(printed(readFileSync(file, 'utf8'))).toEqual(printed(wrapped(table())));
});
