import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { Model, type OpenOptions } from '../../src/index.ts';
import { packageRoot } from '../../src/lib/package-root.ts';
import { goldenFolders } from './golden-error.ts';
import { readSafetensors, type Tensor, writeSafetensors } from './safetensors.ts';
import { temporaryFolder } from './temporary-folder.ts';

export { randomTokens } from './random.ts';

/** A folder of organisms/, of test/fixtures/expected/. */
export const bundled = (name: string): string => join(packageRoot(), 'organisms', name);
export const expectedOf = (name: string): string => join(packageRoot(), 'test/fixtures/expected', name);

/** Every organism whose measurement transformers and numpy computed too. */
export const expectedCases: string[] = readdirSync(expectedOf('')).sort();

/** Opens a model, closed with the test. */
export async function openModel(folder: string, options?: OpenOptions): Promise<Model> {
  const model = await Model.open(folder, options);
  onTestFinished(() => model.close());
  return model;
}

export const openGolden = (name: string): Promise<Model> => openModel(...goldenFolders(name));

/** Base and finetune of a bundled organism: a LoRA, or a checkpoint of its own. */
export async function openPair(name: string, options: OpenOptions = {}): Promise<[Model, Model]> {
  const [base] = name.split('--');
  const isAdapter = existsSync(join(bundled(name), 'adapter_config.json'));
  return [
    await openModel(bundled(base!), options),
    await (isAdapter
      ? openModel(bundled(base!), { ...options, adapter: bundled(name) })
      : openModel(bundled(name), options)),
  ];
}

/** A copy of a folder that a test may spoil; it goes away with the test. */
export function copyOf(folder: string): string {
  const copy = join(temporaryFolder(), 'copy');
  cpSync(folder, copy, { recursive: true });
  return copy;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any JSON, for spoiling
export function editJson(file: string, edit: (json: any) => void): void {
  const json: unknown = JSON.parse(readFileSync(file, 'utf8'));
  edit(json);
  writeFileSync(file, JSON.stringify(json));
}

export function editTensors(file: string, edit: (tensors: Map<string, Tensor>) => void): void {
  const tensors = readSafetensors(file);
  edit(tensors);
  writeSafetensors(file, tensors);
}
