import type { Database, Statement } from 'better-sqlite3';
import { getTableColumns, getTableName, type InferSelectModel } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import { rowReader, selectList } from './table-sql.ts';

/** The values a row is ordered by: with them a page can start after a row that no longer exists. */
export type SortKey = (string | number)[];

/** `first`/`last` are row counts the caller has already judged; at least one of them is set. */
export interface PageRequest {
  first?: number | undefined;
  last?: number | undefined;
  after?: SortKey | undefined;
  before?: SortKey | undefined;
}

export interface Page<Row> {
  rows: Row[];
  hasPreviousPage: boolean;
  hasNextPage: boolean;
}

/** A list in a fixed total order, read by pages in either direction. */
export interface Listing<Parent, Filters, Row> {
  name: string;
  /** The type of each value of a sort key. */
  sortTypes: ('string' | 'number')[];
  sortKey(row: Row): SortKey;
  page(parent: Parent, filters: Filters, request: PageRequest): Page<Row>;
  count(parent: Parent, filters: Filters): number;
}

export interface ListingOptions<T extends SQLiteTable, Parent, Filters, Row> {
  /** Names the list in cursors, so it is part of the API. */
  name: string;
  table: T;
  /** SQL over the table's columns and the named parameters; every list states its own, so none is a scan by accident. */
  where: string;
  parameters(parent: Parent, filters: Filters): Record<string, string | number | null>;
  /** Properties of the table whose values, in this order, are unique within the list and never null. */
  order: (keyof InferSelectModel<T> & string)[];
  descending?: boolean;
  row(columns: InferSelectModel<T>, parent: Parent): Row;
}

/** SQL for "column is one of the JSON array bound to this name, or there is no array". */
export const isOneOf = (column: string, parameter: string): string =>
  `(@${parameter} is null or ${column} in (select value from json_each(@${parameter})))`;

/** The JSON array for `isOneOf`. */
export const oneOf = (values: readonly (string | number)[] | null | undefined): string | null =>
  values ? JSON.stringify(values) : null;

export function listing<T extends SQLiteTable, Parent, Filters, Row extends object>(
  sqlite: Database,
  options: ListingOptions<T, Parent, Filters, Row>,
): Listing<Parent, Filters, Row> {
  const { table, order, parameters } = options;
  const columns = order.map((property) => getTableColumns(table)[property]);
  const names = columns.map((column) => `"${column?.name}"`);
  const from = `from "${getTableName(table)}" where (${options.where})`;
  const read = rowReader(table);
  const [onwards, backwards] = options.descending ? ['<', '>'] : ['>', '<'];
  const [ascending, reversed] = options.descending ? ['desc', 'asc'] : ['asc', 'desc'];

  // Row values compare like the ORDER BY because all columns run in one direction, so an index can serve both.
  const beyond = (side: string, bound: string) =>
    `(${names.join(', ')}) ${side} (${names.map((_, i) => `@${bound}${i}`).join(', ')})`;
  const bind = (bound: string, key: SortKey | undefined) =>
    Object.fromEntries((key ?? []).map((value, i) => [`${bound}${i}`, value]));

  const prepare = (after: boolean, before: boolean, backward: boolean): Statement => {
    const direction = backward ? reversed : ascending;
    return sqlite.prepare(
      `select ${selectList(table)} ${from}` +
        (after ? ` and ${beyond(onwards, 'after')}` : '') +
        (before ? ` and ${beyond(backwards, 'before')}` : '') +
        ` order by ${names.map((name) => `${name} ${direction}`).join(', ')} limit @size`,
    );
  };
  // One statement for each combination of cursors and direction, prepared when first asked for.
  const pages: Statement[] = [];
  const page = (after: boolean, before: boolean, backward: boolean): Statement =>
    (pages[Number(after) + 2 * Number(before) + 4 * Number(backward)] ??= prepare(after, before, backward));
  const probe = (side: string): Statement =>
    sqlite.prepare(`select 1 ${from} and ${beyond(side, 'edge')} limit 1`);
  const count = sqlite.prepare(`select count(*) as total ${from}`);

  const sortKey = (row: Row): SortKey =>
    order.map((property) => {
      const value = (row as Record<string, string | number | boolean>)[property] as string | number | boolean;
      return typeof value === 'boolean' ? Number(value) : value;
    });

  return {
    name: options.name,
    sortTypes: columns.map((column) => (column?.dataType === 'string' ? 'string' : 'number')),
    sortKey,
    count: (parent, filters) => (count.get(parameters(parent, filters)) as { total: number }).total,
    page(parent, filters, { first, last, after, before }) {
      const bound = parameters(parent, filters);
      const backward = first === undefined;
      const size = first ?? last ?? 0;
      const fetched = page(after !== undefined, before !== undefined, backward).all({
        ...bound,
        ...bind('after', after),
        ...bind('before', before),
        size: size + 1,
      });
      const more = fetched.length > size;
      if (more) fetched.pop();
      if (backward) fetched.reverse();
      // Relay: cursors, then first, then last.
      const dropped = !backward && last !== undefined ? Math.max(0, fetched.length - last) : 0;
      const rows = fetched.slice(dropped).map((row) => options.row(read(row), parent));

      // A cursor is a place, not a row: whether anything lies on its far side is asked, never assumed.
      const liesBeyond = (side: string, cursor: SortKey | undefined, edge: Row | undefined): boolean =>
        cursor !== undefined &&
        probe(edge ? side : `${side}=`).get({ ...bound, ...bind('edge', edge ? sortKey(edge) : cursor) }) !==
          undefined;
      return {
        rows,
        hasPreviousPage: dropped > 0 || (backward ? more : liesBeyond(backwards, after, rows[0])),
        hasNextPage: backward ? liesBeyond(onwards, before, rows.at(-1)) : more,
      };
    },
  };
}
