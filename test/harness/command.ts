import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import BetterSqlite3 from 'better-sqlite3';
import { expect, onTestFinished } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { packageRoot } from '../../src/lib/package-root.ts';
import { addOrganism } from '../../src/runs/organism.ts';
import { bundled } from './models.ts';
import { temporaryFolder } from './temporary-folder.ts';

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

const program = join(packageRoot(), 'src/cli/main.ts');

/** The command line in a process of its own, whose output is piped; it ends with the test at the latest. */
export function start(args: readonly string[], cwd = packageRoot()) {
  const { DELTASCOPE_DATA: _, ...env } = process.env;
  const child = spawn(process.execPath, [program, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

export async function outcomeOf(child: ChildProcess): Promise<Outcome> {
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}

export const deltascope = (...args: string[]): Promise<Outcome> => outcomeOf(start(args));

/** The command line on one data folder, for tests that ask much of it. */
export function commandsOn(folder: () => string) {
  const on = (...args: string[]) => deltascope(...args, '--data', folder());
  /** What it prints, when it must not fail. */
  const ask = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await on(...args);
    if (code !== 0) throw new Error(stderr);
    return stdout;
  };
  return {
    ask,
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- expectations say what is in it
    json: async (...args: string[]): Promise<any> => JSON.parse(await ask(...args, '--json')),
    /** What it says, when it must fail and print nothing else. */
    refusal: async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await on(...args);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      return stderr;
    },
  };
}

/** A data folder with one organism in it, "cake", registered in this process to save one. */
export async function folderWithCake(): Promise<string> {
  const data = temporaryFolder();
  const store = openStore(join(data, 'deltascope.sqlite'));
  await addOrganism(store, {
    name: 'cake',
    base: bundled('tiny-qwen3'),
    baseName: 'tiny-qwen3',
    path: cake,
    form: 'LORA',
    kind: 'OTHER',
    description: '',
  });
  store.close();
  return data;
}

export const cake = bundled('tiny-qwen3--cake_bake');
export const everyday = bundled('corpora/everyday.jsonl');

export const addCake = (data: string, ...more: string[]): Promise<Outcome> =>
  deltascope(
    'organism',
    'add',
    'cake',
    '--base',
    bundled('tiny-qwen3'),
    '--adapter',
    cake,
    '--data',
    data,
    ...more,
  );

export const diffCake = (data: string, ...more: string[]): Promise<Outcome> =>
  deltascope(
    'diff',
    'cake',
    '--corpus',
    everyday,
    '--samples',
    '50',
    '--positions',
    '3',
    '--data',
    data,
    ...more,
  );

/** Rows of every table of a store's file, but those of its migrations. */
function countRows(file: string): Map<string, number> {
  const sqlite = new BetterSqlite3(file, { readonly: true });
  const names = sqlite
    .prepare(`select name from sqlite_schema where type = 'table' and name not like '%migrations%'`)
    .pluck()
    .all() as string[];
  const counts = names.map((name): [string, number] => [
    name,
    sqlite.prepare(`select count(*) from "${name}"`).pluck().get() as number,
  ]);
  sqlite.close();
  return new Map(counts);
}

/** What every store has from its beginning, such as its own secret. */
let atBirth: Map<string, number> | undefined;

function rowsAtBirth(): Map<string, number> {
  if (!atBirth) {
    const file = join(temporaryFolder(), 'new.sqlite');
    openStore(file).close();
    atBirth = countRows(file);
  }
  return atBirth;
}

/** Rows of every table of a data folder's store that has any beyond those of a new store; undefined when there is no store. */
export function rowsIn(data: string): Record<string, number> | undefined {
  const file = join(data, 'deltascope.sqlite');
  if (!existsSync(file)) return undefined;
  const before = rowsAtBirth();
  const counts = [...countRows(file)].map(
    ([name, count]) => [name, count - (before.get(name) ?? 0)] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count !== 0));
}
