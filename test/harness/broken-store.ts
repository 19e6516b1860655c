import BetterSqlite3 from 'better-sqlite3';
import type { Store } from '../../src/db/index.ts';

/** Takes these tables out from under an open store: every read of them fails from here on. */
export function breakTables(store: Store, ...tables: string[]): void {
  const other = new BetterSqlite3(store.file);
  other.pragma('foreign_keys = OFF');
  for (const table of tables) other.exec(`alter table ${table} rename to ${table}_elsewhere`);
  other.close();
}
