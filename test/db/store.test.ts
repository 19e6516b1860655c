import BetterSqlite3 from 'better-sqlite3';
import { accessSync, chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/db/index.ts';
import { packageRoot } from '../../src/lib/package-root.ts';
import { seedRun } from '../harness/synthetic-run.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const refusal = (file: string, options?: { readonly?: boolean }) => {
  try {
    openStore(file, options).close();
  } catch (error) {
    return error;
  }
  throw new Error(`${file} was opened`);
};

const nobody = 65534;

/** Does something as a user who may not write to a folder; root may, and becomes another for it. */
function asReader<T>(folder: string, work: () => T): T {
  chmodSync(folder, 0o555);
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid!(nobody);
  try {
    return work();
  } finally {
    if (root) process.seteuid!(0);
    chmodSync(folder, 0o755);
  }
}
const readerCanRun = (): boolean => {
  try {
    asReader(temporaryFolder(), () => accessSync(join(packageRoot(), 'migrations', 'meta', '_journal.json')));
    return true;
  } catch {
    return false;
  }
};

describe('openStore', () => {
  it('creates an empty file once and opens it again without touching the schema', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    openStore(file).close();
    const dump = () =>
      new BetterSqlite3(file, { readonly: true })
        .prepare(
          'select name, sql from sqlite_schema union all select hash, created_at from __drizzle_migrations',
        )
        .all();
    const first = dump();
    openStore(file).close();
    expect(dump()).toEqual(first);
    const sqlite = new BetterSqlite3(file, { readonly: true });
    expect(
      ['page_size', 'journal_mode', 'application_id'].map((p) => sqlite.pragma(p, { simple: true })),
    ).toEqual([8192, 'wal', 0x44534350]);
    sqlite.close();
  });

  it('continues where a process died before it had created anything', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    writeFileSync(file, '');
    openStore(file).close();
    const store = openStore(file);
    expect(store.organisms.list()).toEqual([]);
    store.close();
  });

  it('reads a store read-only and cannot write to it', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    const writer = openStore(file);
    const run = seedRun(writer);
    writer.close();
    const before = readFileSync(file);
    const store = openStore(file, { readonly: true });
    expect(store.runs.get(run.key)).toEqual(run);
    expect(() => seedRun(store, { organism: 'other' })).toThrow(/readonly/);
    store.close();
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  describe.runIf(process.platform !== 'win32')('in a folder that cannot be written to', () => {
    it('reads a store, and cannot write to it', ({ skip }) => {
      if (!readerCanRun()) skip('the checkout is closed to other users');
      const folder = temporaryFolder();
      const file = join(folder, 'store.sqlite');
      const writer = openStore(file);
      const run = seedRun(writer);
      writer.close();
      asReader(folder, () => {
        const store = openStore(file, { readonly: true });
        expect(store.runs.get(run.key)).toEqual(run);
        expect(() => seedRun(store, { organism: 'other' })).toThrow(/readonly/);
        store.close();
        expect(refusal(file)).toMatchObject({ code: 'STORE_NOT_WRITABLE' });
      });
      expect(readdirSync(folder)).toEqual(['store.sqlite']);
    });

    it('says what to do where a writer died before the file was whole', ({ skip }) => {
      if (!readerCanRun()) skip('the checkout is closed to other users');
      const folder = temporaryFolder();
      const writer = openStore(join(folder, 'written.sqlite'));
      seedRun(writer);
      const file = join(folder, 'store.sqlite');
      for (const end of ['', '-wal']) cpSync(join(folder, `written.sqlite${end}`), `${file}${end}`);
      writer.close();
      asReader(folder, () => {
        expect(refusal(file, { readonly: true })).toMatchObject({
          code: 'STORE_NOT_WRITABLE',
          message: expect.stringMatching(
            /its folder cannot be written to, .*; copy both files to a folder of yours$/,
          ) as string,
        });
      });
    });
  });

  it('creates nothing when it opens read-only', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'store.sqlite');
    expect(refusal(file, { readonly: true })).toMatchObject({ code: 'STORE_MISSING', path: file });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses a missing folder, naming it', () => {
    const folder = temporaryFolder();
    expect(refusal(join(folder, 'none', 'store.sqlite'))).toMatchObject({
      code: 'STORE_FOLDER_MISSING',
      message: `${folder}/none/store.sqlite: there is no folder ${folder}/none; create it or name another`,
    });
  });

  it('refuses a folder in place of the file', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'store.sqlite'));
    expect(refusal(join(folder, 'store.sqlite'))).toMatchObject({ code: 'STORE_NOT_OURS' });
  });

  it.runIf(process.platform === 'linux')('refuses a folder that cannot be written', () => {
    expect(refusal('/proc/store.sqlite')).toMatchObject({
      code: 'STORE_NOT_WRITABLE',
      path: '/proc/store.sqlite',
    });
  });

  it.each(['not a database at all, but long enough to be taken for one'.repeat(20), 'short'])(
    'refuses a file of something else and leaves it as it is',
    (content) => {
      const file = join(temporaryFolder(), 'notes.txt');
      writeFileSync(file, content);
      expect(refusal(file)).toMatchObject({ code: 'STORE_NOT_OURS', path: file });
      expect(readFileSync(file, 'utf8')).toBe(content);
    },
  );

  it('refuses a SQLite database of something else and leaves it as it is', () => {
    const file = join(temporaryFolder(), 'other.sqlite');
    new BetterSqlite3(file).exec('create table notes (text)').close();
    const before = readFileSync(file);
    expect(refusal(file)).toMatchObject({ code: 'STORE_NOT_OURS' });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('refuses a store that a newer version has migrated', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    openStore(file).close();
    new BetterSqlite3(file)
      .exec("insert into __drizzle_migrations (hash, created_at) values ('x', 9e15)")
      .close();
    expect(refusal(file)).toMatchObject({ code: 'STORE_NEWER' });
    expect(refusal(file, { readonly: true })).toMatchObject({ code: 'STORE_NEWER' });
  });

  it('asks for migration when an older store is opened read-only', () => {
    const file = join(temporaryFolder(), 'store.sqlite');
    openStore(file).close();
    new BetterSqlite3(file).exec('delete from __drizzle_migrations').close();
    expect(refusal(file, { readonly: true })).toMatchObject({ code: 'STORE_OLDER' });
  });
});

describe('snapshot', () => {
  it('shows one moment, whatever is written beside it, and ends when an error does', () => {
    const file = join(temporaryFolder(), 'deltascope.sqlite');
    const [writer, reader] = [openStore(file), openStore(file)];
    const run = seedRun(writer);
    const tags = () => reader.tags.ofRun.list(run);
    const seen = reader.snapshot(() => {
      const before = tags();
      writer.tags.ofRun.add(run, 'meanwhile');
      return [before, tags()];
    });
    expect(seen).toEqual([[], []]);
    expect(tags()).toEqual(['meanwhile']);
    expect(() =>
      reader.snapshot(() => {
        tags();
        throw new Error('midway');
      }),
    ).toThrow('midway');
    writer.tags.ofRun.add(run, 'later');
    expect(tags()).toEqual(['later', 'meanwhile']);
    writer.close();
    reader.close();
  });
});
