import { createHash } from 'node:crypto';
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../lib/coded-error.ts';
import { fileProblem } from '../lib/file-problem.ts';
import { sha256 } from '../lib/sha256.ts';

/** The files that decide what a checkpoint or adapter computes. */
const counts = /^(config\.json|adapter_config\.json|.*\.safetensors|model\.safetensors\.index\.json)$/;

async function fileDigest(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      signal?.throwIfAborted();
      hash.update(chunk as Buffer);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw new CodedError('FILE_UNREADABLE', `${path}: ${fileProblem(error)}`, { cause: error });
  }
  return hash.digest('hex');
}

/**
 * What identifies a checkpoint or adapter folder, wherever it lies: SHA-256 over a line "<name> <SHA-256 of the file>" for each
 * file that decides what it computes, by name.
 */
export async function folderDigest(folder: string, signal?: AbortSignal): Promise<string> {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => counts.test(name));
  } catch (error) {
    throw new CodedError('FILE_NOT_FOUND', `${folder}: ${fileProblem(error)}`, { cause: error });
  }
  const lines: string[] = [];
  for (const name of names.sort()) lines.push(`${name} ${await fileDigest(join(folder, name), signal)}\n`);
  return sha256(lines.join(''));
}
