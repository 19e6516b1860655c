import BetterSqlite3, { type Database } from 'better-sqlite3';
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { StoreError } from './errors.ts';
import { migrate, newestApplied, newestKnown } from './migrate.ts';

/** 'DSCP', in SQLite's application_id: says whose file this is. */
const applicationId = 0x44534350;

/** A store larger than this is not read into memory: that takes twice its size. */
const mostBytesInMemory = 2 ** 29;

export interface OpenOptions {
  /** Nothing is created, migrated or written. */
  readonly?: boolean;
  /** Told of every statement that is executed, with its values in place; costs time, for tests and for looking into slow queries. */
  onStatement?: ((sql: string) => void) | undefined;
}

/**
 * Opens, or creates and migrates, the SQLite file. Read-only where nothing can be written, as in another user's folder, it is what
 * the file held at that moment. @throws StoreError
 */
export function openDatabase(file: string, { readonly = false, onStatement }: OpenOptions = {}): Database {
  const path = resolve(file);
  refuseImpossible(path, readonly);
  const verbose = onStatement && { verbose: (sql: unknown) => void onStatement(String(sql)) };
  try {
    return prepared(
      new BetterSqlite3(path, { readonly, fileMustExist: readonly, ...verbose }),
      path,
      readonly,
    );
  } catch (error) {
    if (!readonly || !notWritable.test(codeOf(error)) || !isReadable(path))
      throw explainStoreFailure(error, path);
  }
  try {
    return prepared(new BetterSqlite3(bytesAtRest(path), { readonly, ...verbose }), path, readonly);
  } catch (error) {
    throw explainStoreFailure(error, path);
  }
}

const notWritable = /^SQLITE_(CANTOPEN|READONLY)/;

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** SQLite reads a WAL store only where it can put its -wal and -shm files, so it gets the bytes, said to be of no WAL store. */
function bytesAtRest(path: string): Buffer {
  const before = statSync(path);
  const written = () => (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  if (before.size <= mostBytesInMemory && !written()) {
    const bytes = readFileSync(path);
    const { size, mtimeMs } = statSync(path);
    if (size === before.size && mtimeMs === before.mtimeMs && !written()) {
      bytes.fill(1, 18, 20); // file format, for writing and for reading: 2 is WAL, 1 is not
      return bytes;
    }
  }
  throw new StoreError(
    'STORE_NOT_WRITABLE',
    path,
    'its folder cannot be written to, and part of the store is in a -wal file beside it or it is larger than 512 MiB; copy both files to a folder of yours',
  );
}

function prepared(sqlite: Database, path: string, readonly: boolean): Database {
  try {
    prepare(sqlite, path, readonly);
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

function refuseImpossible(path: string, readonly: boolean): void {
  const folder = dirname(path);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new StoreError(
      'STORE_FOLDER_MISSING',
      path,
      `there is no folder ${folder}; create it or name another`,
    );
  }
  if (existsSync(path) && !statSync(path).isFile()) {
    throw new StoreError('STORE_NOT_OURS', path, 'this is not a file; name a file for the store');
  }
  if (readonly && !existsSync(path)) {
    throw new StoreError(
      'STORE_MISSING',
      path,
      'no such store; measure something first or name another file',
    );
  }
}

/** Nothing is written before the file is known to be empty or ours. */
function prepare(sqlite: Database, path: string, readonly: boolean): void {
  // How long a statement waits for another process's lock. Reads never wait for writers under WAL, only for the
  // short exclusive moments of recovery, and a waiting server answers nobody.
  sqlite.pragma(`busy_timeout = ${readonly ? 1_000 : 5_000}`);
  sqlite.pragma('trusted_schema = OFF'); // a store may come from somebody else: its views and triggers get no say

  const empty = sqlite.prepare('select count(*) from sqlite_schema').pluck().get() === 0;
  const id = sqlite.pragma('application_id', { simple: true });
  if (id !== applicationId && !(empty && id === 0 && !readonly)) {
    throw new StoreError('STORE_NOT_OURS', path, 'this is not a deltascope store; name another file');
  }
  const [applied, known] = [newestApplied(sqlite), newestKnown()];
  if (applied > known) {
    throw new StoreError(
      'STORE_NEWER',
      path,
      'this store was written by a newer deltascope; upgrade to open it',
    );
  }
  if (readonly) {
    if (applied < known) {
      throw new StoreError('STORE_OLDER', path, 'this store needs migrating; open it once for writing');
    }
    return;
  }
  // 8 KiB: two vectors of d_model 1,024 or half of one of 4,096 to a page, and small rows still fill their pages.
  if (empty) sqlite.pragma('page_size = 8192');
  sqlite.pragma('journal_mode = WAL'); // readers go on while a run is written
  sqlite.pragma('synchronous = FULL'); // a run cost minutes and is one transaction: the fsync is nothing beside it
  if (applied < known) migrate(sqlite, applicationId);
  sqlite.pragma('foreign_keys = ON'); // off by default in SQLite
}

const codeOf = (error: unknown): string => (error instanceof BetterSqlite3.SqliteError ? error.code : '');

/** What SQLite says of a store, at opening or any time later, as a StoreError where we know what helps; anything else as it is. */
export function explainStoreFailure(error: unknown, path: string): unknown {
  const code = codeOf(error);
  const refuse = (own: ConstructorParameters<typeof StoreError>[0], message: string) =>
    new StoreError(own, path, message, { cause: error });
  if (code.startsWith('SQLITE_NOTADB'))
    return refuse('STORE_NOT_OURS', 'this is not a deltascope store; name another file');
  if (code.startsWith('SQLITE_CORRUPT'))
    return refuse('STORE_CORRUPT', 'the file is damaged; restore it from a copy');
  if (code.startsWith('SQLITE_FULL'))
    return refuse('STORE_FULL', 'the disk is full; free space, nothing was stored');
  if (code.startsWith('SQLITE_BUSY'))
    return refuse('STORE_BUSY', 'another process holds the store; try again');
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|IOERR)/.test(code)) {
    return refuse(
      'STORE_NOT_WRITABLE',
      'cannot be read or written; the file and its folder must be readable and writable',
    );
  }
  return error;
}
