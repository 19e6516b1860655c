import { getTableColumns, getTableName, type InferSelectModel, type SQLiteTable } from './drizzle.ts';
import type { Connection } from './connection.ts';
import { condition, type FilterFields, rowsLookedAt, type Where } from './filter.ts';
import { neededJoins } from './joins.ts';
import { storeSizes } from './store-sizes.ts';
import { rowReader, selectList } from './table-sql.ts';
import { anonymous, bindings, type Viewer } from './visible.ts';

/** The values a row is ordered by: with them a page can start after a row that no longer exists. */
export type SortKey = (string | number | null)[];

export type SortType = 'string' | 'integer' | 'real';

/** One value of a sort key as a cursor carries it. */
export interface SortValue {
  type: SortType;
  nullable: boolean;
}

/** `first`/`last` are row counts the caller has already judged; at least one of them is set. */
export interface PageRequest {
  first?: number | undefined;
  last?: number | undefined;
  after?: SortKey | undefined;
  before?: SortKey | undefined;
}

export interface Page<Row> {
  rows: Row[];
  /** The sort keys of the rows. */
  keys: SortKey[];
  hasPreviousPage: boolean;
  hasNextPage: boolean;
}

/** A list in a total order, read by pages in either direction. */
export interface Listing<Parent, Filters, Row> {
  name: string;
  /** What each value of a sort key is under these filters. */
  sortValues(filters: Filters): SortValue[];
  page(parent: Parent, filters: Filters, request: PageRequest): Page<Row>;
  count(parent: Parent, filters: Filters): number;
  /** Rows that a page or a count may go through without showing them, about: what no `first` bounds. */
  looksAt(parent: Parent, filters: Filters): number;
}

/** Something that a list can be ordered by when it is asked for: SQL over the list's tables. */
export interface Sort extends SortValue {
  sql: string;
}

export interface Order {
  field: string;
  direction: 'ASC' | 'DESC';
}

/** Filters of a list that takes conditions and orders: `where` and `orderBy`, beside its own. */
export interface Asked {
  where?: Where | null | undefined;
  /** Nulls come last in both directions; what is equal goes by the list's own order. */
  orderBy?: readonly Order[] | null | undefined;
}

export interface ListingOptions<T extends SQLiteTable, Parent, Filters, Row> {
  /** Names the list in cursors, so it is part of the API. */
  name: string;
  table: T;
  /** SQL over the table's columns and the named parameters; every list states its own, so none is a scan by accident. */
  where: string;
  parameters(parent: Parent, filters: Filters): Record<string, string | number | null>;
  /** Whose list it is, where it matters: `where`, `joins` and conditions may use the parameters of `bindings`. */
  viewer?: Viewer;
  /** Properties of the table, or SQL that gives never null, whose values, in this order, are unique within the list. */
  order: ((keyof InferSelectModel<T> & string) | Sort)[];
  descending?: boolean;
  /** Rows as they are handed out. */
  row(columns: InferSelectModel<T>, parent: Parent): Row;
  /** All rows of a page at once, where they have something in common to look up. */
  rows?(columns: InferSelectModel<T>[], parent: Parent): Row[];
  /** Tables that `where`, `fields` and `sorts` need beside the list's own, as SQL; see `neededJoins`. */
  joins?: string;
  fields?: FilterFields;
  sorts?: Readonly<Record<string, Sort>>;
  /** Counting stops here. */
  mostCounted?: number;
  /** Whether a condition that is always asked finds the rows by an index, so that only those are gone through. */
  found?: boolean;
  /** Whether a list of one thing may be as long as that of everything. */
  long?: boolean;
  /** Another table that `where` goes through for who does not see everything. */
  through?: string;
}

interface Term extends Sort {
  descending: boolean;
  /** Where the row has the value already. */
  property: string | undefined;
}

/** The values of an edge and the side of it that is wanted. */
type Side = 'beyond' | 'before';

/** SQL for "column is one of the JSON array bound to this name, or there is no array". */
export const isOneOf = (column: string, parameter: string): string =>
  `(@${parameter} is null or ${column} in (select value from json_each(@${parameter})))`;

/** The JSON array for `isOneOf`. */
export const oneOf = (values: readonly (string | number)[] | null | undefined): string | null =>
  values ? JSON.stringify(values) : null;

/** Counting stops here in lists over everything that is stored. */
export const mostCounted = 10_000;

/**
 * SQL for "the row lies on this side of the edge", for terms of any directions in which null comes last. `@<bound>0…` are the
 * edge's values; `nulls` says which of them are null.
 */
function lies(terms: readonly Term[], side: Side, bound: string, nulls: readonly boolean[]): string {
  const plain = terms.every(({ nullable, descending }) => !nullable && descending === terms[0]?.descending);
  if (plain) {
    // Row values compare like the ORDER BY because all columns run in one direction, so an index can serve both.
    const sign = (side === 'beyond') === (terms[0]?.descending ?? false) ? '<' : '>';
    return `(${terms.map(({ sql }) => sql).join(', ')}) ${sign} (${terms.map((_, i) => `@${bound}${i}`).join(', ')})`;
  }
  const further = ({ sql, nullable, descending }: Term, i: number): string | undefined => {
    if (nulls[i]) return side === 'beyond' ? undefined : `${sql} is not null`;
    const sign = (side === 'beyond') === descending ? '<' : '>';
    const compared = `${sql} ${sign} @${bound}${i}`;
    return side === 'beyond' && nullable ? `(${compared} or ${sql} is null)` : compared;
  };
  const same = ({ sql }: Term, i: number): string => (nulls[i] ? `${sql} is null` : `${sql} = @${bound}${i}`);
  const ways = terms.flatMap((term, i) => {
    const last = further(term, i);
    return last === undefined ? [] : [[...terms.slice(0, i).map(same), last].join(' and ')];
  });
  return ways.length === 0 ? 'false' : `(${ways.map((way) => `(${way})`).join(' or ')})`;
}

const orderOf = (terms: readonly Term[], backward: boolean): string =>
  terms
    .map(({ sql, nullable, descending }) => {
      const direction = descending === backward ? 'asc' : 'desc';
      // Only where SQLite's own rule (null is the smallest) says otherwise: an index serves the plain form.
      const own = (direction === 'asc') === backward;
      return `${sql} ${direction}${nullable && !own ? ` nulls ${backward ? 'first' : 'last'}` : ''}`;
    })
    .join(', ');

export function listing<T extends SQLiteTable, Parent, Filters extends object, Row extends object>(
  sqlite: Connection,
  options: ListingOptions<T, Parent, Filters, Row>,
): Listing<Parent, Filters, Row> {
  const { table, fields = {}, sorts = {}, parameters } = options;
  const tableName = getTableName(table);
  const columns = getTableColumns(table);
  const read = rowReader(table);
  const selected = selectList(table);
  const { viewer = anonymous } = options;
  const viewed = bindings(viewer);

  const own = options.order.map((sort): Term => {
    const descending = options.descending ?? false;
    if (typeof sort !== 'string') return { ...sort, descending, property: undefined };
    const column = columns[sort];
    if (!column) throw new Error(`no property ${sort} in ${tableName}`);
    const type =
      column.dataType === 'string' ? 'string' : column.columnType === 'SQLiteReal' ? 'real' : 'integer';
    return { sql: `"${tableName}"."${column.name}"`, type, nullable: false, descending, property: sort };
  });
  const askedOf = (filters: Filters): Asked => filters;
  const termsOf = (filters: Filters): Term[] => {
    const { orderBy } = askedOf(filters);
    if (!orderBy?.length) return own;
    const asked = orderBy.map(({ field, direction }): Term => {
      const sort = sorts[field];
      if (!sort) throw new Error(`${options.name} has no order ${field}`);
      return { ...sort, descending: direction === 'DESC', property: undefined };
    });
    // A column asked for twice, or a tie already broken, decides nothing.
    return [...asked, ...own].filter(
      ({ sql }, i, terms) => terms.findIndex((term) => term.sql === sql) === i,
    );
  };

  /** FROM and WHERE under these filters, with everything bound but the edges. */
  const rowsUnder = (parent: Parent, filters: Filters) => {
    const { where } = askedOf(filters);
    const asked = condition(where, fields, { viewer, sizes });
    const sql = `where (${options.where}) and (${asked.sql})`;
    const named = [sql, ...termsOf(filters).map((term) => term.sql)].join(' ');
    return {
      from: `from "${tableName}" ${neededJoins(options.joins ?? '', named)} ${sql}`,
      bound: { ...viewed, ...parameters(parent, filters), ...asked.parameters },
    };
  };

  const sizes = storeSizes(sqlite);
  const prepare = (sql: string) => sqlite.prepareAsked(sql);
  const edge = (terms: Term[], side: Side, bound: string, key: SortKey): string =>
    lies(
      terms,
      side,
      bound,
      key.map((value) => value === null),
    );
  const bind = (bound: string, key: SortKey | undefined) =>
    Object.fromEntries((key ?? []).flatMap((value, i) => (value === null ? [] : [[`${bound}${i}`, value]])));

  return {
    name: options.name,
    sortValues: (filters) => termsOf(filters).map(({ type, nullable }) => ({ type, nullable })),
    count(parent, filters) {
      const { from, bound } = rowsUnder(parent, filters);
      const sql = options.mostCounted
        ? `select count(*) as total from (select 1 ${from} limit ${options.mostCounted})`
        : `select count(*) as total ${from}`;
      return (prepare(sql).get(bound) as { total: number }).total;
    },
    looksAt(parent, filters) {
      const { where, orderBy } = askedOf(filters);
      // Lists of one thing are short, and have an index. Those of everything may be gone through for what is rare.
      const all = parent === null || options.long;
      const through = all && !options.found && (where || orderBy?.length || !viewer.all);
      const others = options.through !== undefined && !viewer.all ? sizes.rows(options.through) : 0;
      return (through ? sizes.rows(tableName) : 0) + others + rowsLookedAt(where, fields, sizes);
    },
    page(parent, filters, { first, last, after, before }) {
      const terms = termsOf(filters);
      const { from, bound } = rowsUnder(parent, filters);
      const backward = first === undefined;
      const size = first ?? last ?? 0;
      const extra = terms.flatMap(({ sql, property }, i) =>
        property === undefined ? [`, ${sql} as "order ${i}"`] : [],
      );
      const fetched = prepare(
        `select ${selected}${extra.join('')} ${from}` +
          (after ? ` and ${edge(terms, 'beyond', 'after', after)}` : '') +
          (before ? ` and ${edge(terms, 'before', 'before', before)}` : '') +
          ` order by ${orderOf(terms, backward)} limit @size`,
      ).all({ ...bound, ...bind('after', after), ...bind('before', before), size: size + 1 }) as Record<
        string,
        string | number | null
      >[];
      const more = fetched.length > size;
      if (more) fetched.pop();
      if (backward) fetched.reverse();
      // Relay: cursors, then first, then last.
      const dropped = !backward && last !== undefined ? Math.max(0, fetched.length - last) : 0;
      const kept = fetched.slice(dropped);
      const keys = kept.map((row) =>
        terms.map(({ property }, i): string | number | null => {
          if (property !== undefined) return row[property] as string | number;
          const value = row[`order ${i}`] as string | number | null;
          Reflect.deleteProperty(row, `order ${i}`);
          return value;
        }),
      );
      const typed = kept.map(read);
      const rows = options.rows?.(typed, parent) ?? typed.map((row) => options.row(row, parent));

      // A cursor is a place, not a row: whether anything lies on its far side is asked, never assumed.
      const liesOn = (side: Side, cursor: SortKey | undefined, row: SortKey | undefined): boolean => {
        if (cursor === undefined) return false;
        const key = row ?? cursor;
        const found = prepare(`select 1 ${from} and ${edge(terms, side, 'edge', key)} limit 1`);
        if (found.get({ ...bound, ...bind('edge', key) }) !== undefined) return true;
        return row === undefined && isThere(key);
      };
      const isThere = (key: SortKey): boolean => {
        const same = terms.map(({ sql }, i) => (key[i] === null ? `${sql} is null` : `${sql} = @edge${i}`));
        const found = prepare(`select 1 ${from} and ${same.join(' and ')} limit 1`);
        return found.get({ ...bound, ...bind('edge', key) }) !== undefined;
      };
      return {
        rows,
        keys,
        hasPreviousPage: dropped > 0 || (backward ? more : liesOn('before', after, keys[0])),
        hasNextPage: backward ? liesOn('beyond', before, keys.at(-1)) : more,
      };
    },
  };
}
