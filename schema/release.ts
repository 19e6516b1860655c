// node schema/release.ts makes the schema of today the released one, which later schemas may not break.
import { copyFileSync, writeFileSync } from 'node:fs';

const file = (name: string) => new URL(name, import.meta.url);

copyFileSync(file('schema.graphql'), file('released.graphql'));
writeFileSync(file('accepted-breaks.json'), '[]\n');
