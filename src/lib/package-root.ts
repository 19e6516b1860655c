import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Manifest {
  root: string;
  version: string;
}

function findManifest(folder: string): Manifest {
  const file = join(folder, 'package.json');
  if (existsSync(file)) {
    const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
    if (name === 'deltascope') return { root: folder, version: version ?? '0.0.0' };
  }
  if (dirname(folder) === folder) throw new Error('deltascope: no package.json of ours above this module');
  return findManifest(dirname(folder));
}

let manifest: Manifest | undefined;
const load = (): Manifest => (manifest ??= findManifest(dirname(fileURLToPath(import.meta.url))));

/** The folder that holds our package.json; the same whether this runs from src/ or from dist/src/. */
export const packageRoot = (): string => load().root;

/** The version in our package.json. */
export const packageVersion = (): string => load().version;
