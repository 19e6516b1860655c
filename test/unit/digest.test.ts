import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folderDigest } from '../../src/runs/digest.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function folder(files: Record<string, string>): string {
  const path = temporaryFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

test('a folder’s digest is over names and contents of what it computes with, wherever it lies', async () => {
  const files = { 'model.safetensors': 'weights', 'config.json': '{}' };
  const expected = sha256(`config.json ${sha256('{}')}\nmodel.safetensors ${sha256('weights')}\n`);
  expect(await folderDigest(folder(files))).toBe(expected);
  const beside = {
    'README.md': 'x',
    'tokenizer.json': '{}',
    'generation_config.json': '{}',
    'training.bin': 'x',
  };
  expect(await folderDigest(folder({ ...files, ...beside }))).toBe(expected);
  const copy = join(temporaryFolder(), 'elsewhere');
  cpSync(folder(files), copy, { recursive: true });
  expect(await folderDigest(copy)).toBe(expected);
});

test('every file that counts changes it, and so does its name', async () => {
  const digests = await Promise.all(
    [
      {},
      { 'config.json': '{}' },
      { 'config.json': '{} ' },
      { 'adapter_config.json': '{}' },
      { 'adapter_model.safetensors': '{}' },
      { 'model-00001-of-00002.safetensors': '{}' },
      { 'model.safetensors.index.json': '{}' },
    ].map((files) => folderDigest(folder(files as Record<string, string>))),
  );
  expect(new Set(digests).size).toBe(digests.length);
});

test('what cannot be read is named', async () => {
  const path = folder({});
  mkdirSync(join(path, 'model.safetensors'));
  await expect(folderDigest(path)).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: `${join(path, 'model.safetensors')}: is a folder, not a file`,
  });
  rmSync(path, { recursive: true });
  await expect(folderDigest(path)).rejects.toMatchObject({
    code: 'FILE_NOT_FOUND',
    message: `${path}: no such file`,
  });
});

test('stops when its signal is aborted', async () => {
  const reason = new Error('enough');
  const path = folder({ 'model.safetensors': 'weights' });
  await expect(folderDigest(path, AbortSignal.abort(reason))).rejects.toBe(reason);
});
