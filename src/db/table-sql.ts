import {
  type Column,
  getTableColumns,
  getTableName,
  type InferInsertModel,
  type InferSelectModel,
  type SQLiteTable,
} from './drizzle.ts';
import type { Connection } from './connection.ts';

// Table definitions give names and types; statements are prepared by hand, since drizzle's own query runner costs
// several times the statement itself on the small reads a graph is made of.

const columnsOf = (table: SQLiteTable): [string, Column][] => Object.entries(getTableColumns(table));

/** Column list for a SELECT, each under its property's name. */
export const selectList = (table: SQLiteTable): string =>
  columnsOf(table)
    .map(([property, column]) => `"${getTableName(table)}"."${column.name}" as "${property}"`)
    .join(', ');

/** Turns a fetched row into the table's type, in place: booleans and JSON, which SQLite does not have. */
export function rowReader<T extends SQLiteTable>(table: T): (row: unknown) => InferSelectModel<T> {
  const mapped = columnsOf(table).filter(([, column]) => ['boolean', 'json'].includes(column.dataType));
  return (fetched) => {
    const row = fetched as Record<string, unknown>;
    for (const [property, column] of mapped)
      if (row[property] !== null) row[property] = column.mapFromDriverValue(row[property]);
    return row as InferSelectModel<T>;
  };
}

/** A prepared `select … where …` for at most one row. `bound`: values of its named parameters. */
export function finder<T extends SQLiteTable>(
  sqlite: Connection,
  table: T,
  where: string,
  bound: Record<string, number | null> = {},
) {
  const statement = sqlite.prepare(
    `select ${selectList(table)} from "${getTableName(table)}" where ${where}`,
  );
  const read = rowReader(table);
  return (...parameters: (string | number)[]): InferSelectModel<T> | undefined => {
    const row = statement.get(...parameters, bound);
    return row === undefined ? undefined : read(row);
  };
}

/** What SQLite has as it is, in drizzle's names. */
const plain = new Set(['number', 'string', 'buffer']);

/** The columns we set (all but the integer key and what SQLite computes) and the values of a row in their order. */
function rowWriter<T extends SQLiteTable>(table: T) {
  const columns = columnsOf(table).filter(
    ([property, column]) => property !== 'id' && column.generated === undefined,
  );
  const written = columns.map(([property, column]) => ({
    property,
    written: plain.has(column.dataType) ? undefined : (value: unknown) => column.mapToDriverValue(value),
  }));
  return {
    names: columns.map(([, column]) => `"${column.name}"`),
    /** A number that JSON and arithmetic can carry, or null: NaN and Infinity never enter the store as numbers. */
    values: (row: Omit<InferInsertModel<T>, 'id'>): unknown[] =>
      written.map(({ property, written }) => {
        const value = (row as Record<string, unknown>)[property];
        if (value === undefined || value === null) return null;
        if (typeof value === 'number') return Number.isFinite(value) ? value : null;
        return written ? written(value) : value;
      }),
  };
}

/** A prepared insert of one whole row; returns its integer key (meaningless for a table without one). */
export function inserter<T extends SQLiteTable>(sqlite: Connection, table: T) {
  const { names, values } = rowWriter(table);
  const holes = names.map(() => '?').join(', ');
  const statement = sqlite.prepare(
    `insert into "${getTableName(table)}" (${names.join(', ')}) values (${holes})`,
  );
  return (row: Omit<InferInsertModel<T>, 'id'>): number =>
    Number(statement.run(...values(row)).lastInsertRowid);
}

/** A prepared update of a whole row, the integer key excepted. */
export function updater<T extends SQLiteTable>(sqlite: Connection, table: T) {
  const { names, values } = rowWriter(table);
  const sets = names.map((name) => `${name} = ?`).join(', ');
  const statement = sqlite.prepare(`update "${getTableName(table)}" set ${sets} where id = ?`);
  return (id: number, row: Omit<InferInsertModel<T>, 'id'>): void => void statement.run(...values(row), id);
}
