import BetterSqlite3 from 'better-sqlite3';

/** As after the half minute in which nobody else takes up what a dead process was at. */
export function runOutLeases(file: string): void {
  const sqlite = new BetterSqlite3(file);
  sqlite.exec('update leases set until = 0');
  sqlite.close();
}
