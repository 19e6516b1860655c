import type { Database } from 'better-sqlite3';
import { readMigrationFiles } from './drizzle.ts';
import { join } from 'node:path';
import { packageRoot } from '../lib/package-root.ts';

/** Milliseconds since 1970 at which a migration was made: what drizzle orders and records migrations by. */
type MadeAt = number;

const migrations = () => readMigrationFiles({ migrationsFolder: join(packageRoot(), 'migrations') });

/** The newest migration this version of the package knows. */
export const newestKnown = (): MadeAt => migrations().at(-1)?.folderMillis ?? 0;

/** The newest migration the file has been through; 0 for none. */
export function newestApplied(sqlite: Database): MadeAt {
  const table = sqlite.prepare("select 1 from sqlite_schema where name = '__drizzle_migrations'").get();
  return table
    ? ((sqlite.prepare('select max(created_at) from __drizzle_migrations').pluck().get() as MadeAt) ?? 0)
    : 0;
}

/**
 * Applies what is missing, in one transaction, and marks the file as ours. Same bookkeeping as drizzle's own migrator, which
 * reads before it locks: two processes that open a new file together would both try to create its tables.
 */
export function migrate(sqlite: Database, applicationId: number): void {
  sqlite.pragma('foreign_keys = OFF'); // a table rebuilt by a migration would cascade; checked below instead
  sqlite
    .transaction(() => {
      sqlite.exec(
        'create table if not exists __drizzle_migrations (id integer primary key, hash text not null, created_at numeric)',
      );
      const applied = newestApplied(sqlite);
      const record = sqlite.prepare('insert into __drizzle_migrations (hash, created_at) values (?, ?)');
      for (const { sql, hash, folderMillis } of migrations().filter((each) => each.folderMillis > applied)) {
        for (const statement of sql) sqlite.exec(statement);
        record.run(hash, folderMillis);
      }
      const broken = sqlite.pragma('foreign_key_check') as unknown[];
      if (broken.length > 0) throw new Error(`migration would break ${broken.length} foreign keys`);
      sqlite.pragma(`application_id = ${applicationId}`);
    })
    .immediate();
  sqlite.pragma('foreign_keys = ON');
}
