// node schema/print.ts writes schema/schema.graphql; with --check it fails when that file differs.
import { lexicographicSortSchema, printSchema } from 'graphql';
import { readFileSync, writeFileSync } from 'node:fs';
import { schema } from './index.ts';

const file = new URL('schema.graphql', import.meta.url);
const sdl = `${printSchema(lexicographicSortSchema(schema))}\n`;

if (!process.argv.includes('--check')) {
  writeFileSync(file, sdl);
} else if (readFileSync(file, 'utf8') !== sdl) {
  process.stderr.write(
    'schema/schema.graphql differs from the schema: run npm run schema:print and commit it\n',
  );
  process.exitCode = 1;
}
