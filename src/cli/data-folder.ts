import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Store } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';

export const storeFile = (folder: string): string => join(resolve(folder), 'deltascope.sqlite');

/** Gives the store of a data folder, for writing, to some work, and closes it after; the folder is made when it is missing. */
export async function withStore<T>(folder: string, work: (store: Store) => T | Promise<T>): Promise<T> {
  refuseFile(folder);
  try {
    makeFolder(resolve(folder));
    accessSync(resolve(folder), constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CodedError(
      'DATA_NOT_WRITABLE',
      `cannot write to the data folder ${resolve(folder)} (${code ?? String(error)}); choose another with --data`,
      { cause: error },
    );
  }
  return open(folder, false, work);
}

/** mkdir -p. Node's own never ends where a folder exists but takes no new ones, as in /proc. */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  if (!existsSync(dirname(folder))) makeFolder(dirname(folder));
  mkdirSync(folder);
}

/** The same for reading only: nothing is created. */
export async function withStoreToRead<T>(folder: string, work: (store: Store) => T | Promise<T>): Promise<T> {
  refuseFile(folder);
  return open(folder, true, work);
}

function refuseFile(folder: string): void {
  if (existsSync(folder) && statSync(folder).isFile())
    throw new CodedError('DATA_NOT_A_FOLDER', `--data ${folder} is a file; name a folder`);
}

async function open<T>(
  folder: string,
  readonly: boolean,
  work: (store: Store) => T | Promise<T>,
): Promise<T> {
  const { explainStoreFailure, openStore } = await import('../db/index.ts'); // only now: help needs no database
  const file = storeFile(folder);
  const store = openStore(file, { readonly });
  try {
    return await work(store);
  } catch (error) {
    throw explainStoreFailure(error, file);
  } finally {
    store.close();
  }
}
