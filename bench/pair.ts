import { createReadStream, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { wholeNumber } from '../src/cli/options.ts';
import { readSafetensors, tokenRows, writeSafetensors } from '../test/harness/safetensors.ts';
import { benchFolder, script } from './folder.ts';
import { transformersPython } from './python.ts';
import { BenchError, lastLines, run, say } from './run-child.ts';

/** Two models and their texts, as paths. */
export interface Pair {
  base: string;
  /** A full checkpoint; the base again for an adapter. */
  finetuned: string;
  adapter?: string | undefined;
  /** A safetensors file with input_ids [texts, tokens] int64. */
  tokens: string;
}

/** Shapes that bench/make_model.py knows, and whether their tokenizers put a BOS before every text. */
export const shapes: Record<string, { bos: boolean }> = {
  'qwen3-0.6b': { bos: false },
  'qwen3-1.7b': { bos: false },
  'llama3.2-1b': { bos: true },
  'gemma3-1b': { bos: true },
};
const defaultShape = 'qwen3-0.6b';

export interface ModelOptions {
  model?: string;
  shape?: string;
  python?: string;
  adapter: boolean;
  threads: number;
}

/** A bench's command with the options that say what it runs on. */
export const benchCommand = (name: string): Command =>
  new Command(name)
    .option(
      '--model <folder>',
      'base, finetuned, adapter and tokens.safetensors, as make_model.py writes them',
    )
    .addOption(
      new Option('--shape <name>', `make such a model in build/bench/models, once (default: ${defaultShape})`)
        .choices(Object.keys(shapes))
        .conflicts('model'),
    )
    .option(
      '--python <path>',
      'with torch, transformers, peft and safetensors (default: build/bench/venv, made with pip when missing)',
    )
    .option('--adapter', 'the finetune is the LoRA adapter, not the full checkpoint', false)
    .option('--threads <count>', 'threads for everyone', wholeNumber(1), availableParallelism());

/** A folder as bench/make_model.py writes it: the one given, or one of the shape asked for, made when it is not there yet. */
export async function openFolder(options: ModelOptions): Promise<{ folder: string; name: string }> {
  if (options.model !== undefined) return { folder: options.model, name: basename(resolve(options.model)) };
  const name = options.shape ?? defaultShape;
  const folder = join(benchFolder, 'models', name);
  if (existsSync(folder)) return { folder, name };
  const python = await transformersPython(options.python);
  say(`making a model of the shape ${name} with random weights in ${folder}`);
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const { code, stderr } = await run(python, [script('make_model.py'), name, unfinished]);
  if (code !== 0) throw new BenchError(`make_model.py failed: ${lastLines(stderr, 1)}`);
  renameSync(unfinished, folder);
  return { folder, name };
}

/** The two models in such a folder. */
export function modelsIn(folder: string, adapter: boolean): Omit<Pair, 'tokens'> {
  const base = present(join(folder, 'base'));
  return adapter
    ? { base, finetuned: base, adapter: present(join(folder, 'adapter')) }
    : { base, finetuned: present(join(folder, 'finetuned')) };
}

/** The first texts in such a folder, one row of token ids each. With `bos`, one same token takes the place of each one's last. */
export function textsIn(folder: string, count: number, bos: boolean): number[][] {
  const file = present(join(folder, 'tokens.safetensors'));
  const rows = tokenRows(readSafetensors(file).get('input_ids'));
  if (count > rows.length)
    throw new BenchError(`${count} texts were asked for, ${file} holds ${rows.length}`);
  const first = rows.slice(0, count);
  if (!bos) return first;
  const id = vocabularySize(join(folder, 'base')) - 1; // a token that the others seldom are
  return first.map((row) => [id, ...row.slice(0, -1)]);
}

export function vocabularySize(base: string): number {
  const config = readFileSync(present(join(base, 'config.json')), 'utf8');
  return (JSON.parse(config) as { vocab_size: number }).vocab_size;
}

function present(path: string): string {
  if (!existsSync(path)) throw new BenchError(`${path} is missing; bench/make_model.py writes such folders`);
  return path;
}

/** Writes rows of equal length as input_ids. @returns the file */
export function writeTokens(file: string, rows: readonly (readonly number[])[]): string {
  const data = Buffer.from(BigInt64Array.from(rows.flat(), BigInt).buffer);
  const shape = [rows.length, rows[0]?.length ?? 0];
  writeSafetensors(file, new Map([['input_ids', { dtype: 'I64', shape, data }]]));
  return file;
}

/** Distinct prefixes, counted the plain way. */
export function countPrefixes(rows: readonly (readonly number[])[]): number {
  const seen = new Set<string>();
  for (const row of rows) {
    for (let end = 1; end <= row.length; end++) seen.add(row.slice(0, end).join(' '));
  }
  return seen.size;
}

/** Reads all weights once, so that no contender is the first to wait for the disk. */
export async function warmFileCache({ base, finetuned }: Pair): Promise<void> {
  for (const file of globSync([join(base, '*.safetensors'), join(finetuned, '*.safetensors')])) {
    for await (const _ of createReadStream(file, { highWaterMark: 2 ** 24 }));
  }
}
