import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { CodedError } from '../lib/coded-error.ts';

const keyBytes = 32;

/**
 * The secret that signs the URLs of a store, in a file beside it that only its owner can read, so that URLs outlive the server.
 * Where no file can be made they end with this process.
 * @throws CodedError URL_KEY_DAMAGED
 */
export function urlKeyBeside(storeFile: string): Buffer {
  const file = `${storeFile}.url-key`;
  const fresh = randomBytes(keyBytes);
  try {
    writeFileSync(file, fresh, { flag: 'wx', mode: 0o600, flush: true });
    return fresh;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return fresh;
  }
  const key = readFileSync(file);
  if (key.length !== keyBytes) {
    throw new CodedError(
      'URL_KEY_DAMAGED',
      `${file} has ${key.length} bytes instead of ${keyBytes}; delete it, URLs signed before end with it`,
    );
  }
  return key;
}
