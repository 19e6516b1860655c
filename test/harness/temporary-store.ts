import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openStore, type Store } from '../../src/db/index.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** A new store in a folder of its own, closed and removed with the test. */
export function temporaryStore(): Store {
  const store = openStore(join(temporaryFolder(), 'store.sqlite'));
  onTestFinished(() => store.close());
  return store;
}
