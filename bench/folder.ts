import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../src/lib/package-root.ts';

/** Everything that benches make lies here. */
export const benchFolder = join(packageRoot(), 'build/bench');

/** A file of bench/. */
export const script = (name: string): string => join(packageRoot(), 'bench', name);

/** An empty folder that goes away with the process. */
export function temporaryFolder(): string {
  mkdirSync(benchFolder, { recursive: true });
  const folder = mkdtempSync(join(benchFolder, 'run-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  return folder;
}
