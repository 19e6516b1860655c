import { CodedError } from '../lib/coded-error.ts';
import { folderDigest } from './digest.ts';

/** The digest on disk now, which must be the registered one: a result must never carry the name of another model. */
export async function unchangedDigest(
  row: { name: string; path: string; digest: string },
  noun: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const digest = await folderDigest(row.path, signal);
  if (digest !== row.digest) {
    throw new CodedError(
      'MODEL_CHANGED',
      `the files of ${noun} "${row.name}" in ${row.path} are not the ones that were registered; register it under a new name, or again with --update while it has no runs`,
    );
  }
  return digest;
}
