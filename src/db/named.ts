import type { Database } from 'better-sqlite3';
import {
  getTableColumns,
  getTableName,
  type InferInsertModel,
  type InferSelectModel,
  type SQLiteTable,
} from './drizzle.ts';
import { ConflictError, NotFoundError } from './errors.ts';
import { listed, visible, type Viewer } from './visible.ts';
import { finder, inserter, updater } from './table-sql.ts';

/** What the caller gives for a named thing; the store adds the key and the time. */
export type Given<T extends SQLiteTable> = Omit<InferInsertModel<T>, 'id' | 'createdAt'>;

/**
 * Things known by a unique name: the same name with the same content is the same row, with other content a conflict.
 * `update: true` overwrites instead; runs made before keep their own digests, so history stays right.
 */
export function named<T extends SQLiteTable, Row extends { id: number; key: string }>(
  sqlite: Database,
  viewer: Viewer,
  noun: string,
  table: T,
  toRow: (columns: InferSelectModel<T>) => Row,
) {
  const sees = visible(viewer, getTableName(table));
  const byName = finder(sqlite, table, `name = ? and ${sees}`);
  const byId = finder(sqlite, table, `id = ? and ${sees}`);
  const insert = inserter(sqlite, table);
  const update = updater(sqlite, table);
  const given = Object.keys(getTableColumns(table)).filter((name) => name !== 'id' && name !== 'createdAt');
  const nameOf = (content: Given<T>) => (content as unknown as { name: string }).name;

  const find = (name: string): Row | undefined => {
    const columns = byName(name);
    return columns && toRow(columns);
  };
  const get = (name: string): Row => {
    const row = find(name);
    if (!row) throw new NotFoundError(noun, name);
    return row;
  };
  const getById = (id: number): Row => {
    const columns = byId(id);
    if (!columns) throw new NotFoundError(noun, id);
    return toRow(columns);
  };

  const add = sqlite.transaction((content: Given<T>, options: { update?: boolean } = {}): Row => {
    const name = nameOf(content);
    const values = content as Record<string, unknown>;
    const stored = find(name) as (Row & Record<string, unknown>) | undefined;
    if (!stored) {
      insert({ ...content, createdAt: new Date().toISOString() } as unknown as Omit<
        InferInsertModel<T>,
        'id'
      >);
      return get(name);
    }
    const differing = given.find((field) => (stored[field] ?? null) !== (values[field] ?? null));
    if (differing === undefined) return stored;
    if (!options.update) throw new ConflictError(noun, name, differing, stored[differing], values[differing]);
    update(stored.id, { ...content, createdAt: stored['createdAt'] } as unknown as Omit<
      InferInsertModel<T>,
      'id'
    >);
    return get(name);
  });

  return {
    /** @throws ConflictError when the name is taken by other content and no update was asked for. */
    add: (content: Given<T>, options?: { update?: boolean }): Row => add.immediate(content, options),
    find,
    /** @throws NotFoundError */
    get,
    /** @throws NotFoundError */
    getById,
    /** All of them, by name. */
    list: (): Row[] =>
      (
        sqlite
          .prepare(
            `select name from "${getTableName(table)}" where ${listed(viewer, getTableName(table))} order by name`,
          )
          .pluck()
          .all() as string[]
      ).map(get),
  };
}
