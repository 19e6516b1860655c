import {
  getTableColumns,
  getTableName,
  type InferInsertModel,
  type InferSelectModel,
  type SQLiteTable,
} from './drizzle.ts';
import type { Connection } from './connection.ts';
import { ConflictError, ForbiddenError, NameTakenError, NotFoundError } from './errors.ts';
import type { Visibility } from './tables/ownership.ts';
import { CodedError } from '../lib/coded-error.ts';
import { bindings, listed, type Owned, owns, visible, type Viewer } from './visible.ts';
import { finder, inserter, updater } from './table-sql.ts';

/** What the caller gives for a named thing; the store adds the key, the time and whose it is. */
export type Given<T extends SQLiteTable> = Omit<
  InferInsertModel<T>,
  'id' | 'createdAt' | 'teamId' | 'tokenId' | 'visibility'
> & {
  /** Of a new row. Left out: what a token makes its team sees, what the owner makes nobody else. */
  visibility?: Visibility | undefined;
};

/**
 * Things known by a unique name: the same name with the same content is the same row, with other content a conflict.
 * `update: true` overwrites instead; runs made before keep their own digests, so history stays right.
 */
export function named<T extends SQLiteTable, Row extends Owned & { id: number; key: string }>(
  sqlite: Connection,
  viewer: Viewer,
  noun: string,
  table: T,
  toRow: (columns: InferSelectModel<T>) => Row,
) {
  const sees = visible(viewer, getTableName(table));
  const bound = bindings(viewer);
  const byName = finder(sqlite, table, `name = ? and ${sees}`, bound);
  const byId = finder(sqlite, table, `id = ? and ${sees}`, bound);
  // everybody’s: a name is taken by whatever has it.
  const taken = sqlite.prepare(`select 1 from "${getTableName(table)}" where name = ?`);
  const names = sqlite.pluck(
    `select name from "${getTableName(table)}" where ${listed(viewer, getTableName(table))} order by name`,
  );
  const insert = inserter(sqlite, table);
  const update = updater(sqlite, table);
  const kept = ['id', 'createdAt', 'teamId', 'tokenId', 'visibility'];
  const given = Object.keys(getTableColumns(table)).filter((name) => !kept.includes(name));
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
  const findById = (id: number): Row | undefined => {
    const columns = byId(id);
    return columns && toRow(columns);
  };
  const getById = (id: number): Row => {
    const row = findById(id);
    if (!row) throw new NotFoundError(noun, id);
    return row;
  };

  const add = sqlite.transaction((content: Given<T>, options: { update?: boolean } = {}): Row => {
    const name = nameOf(content);
    const values = content as Record<string, unknown>;
    const stored = find(name) as (Row & Record<string, unknown>) | undefined;
    if (!stored) {
      if (taken.get(name) !== undefined) throw new NameTakenError(noun, name);
      const { teamId, tokenId } = viewer;
      if (content.visibility === 'TEAM' && teamId === null)
        throw new CodedError(
          'INVALID_ARGUMENT',
          `TEAM needs a team; this ${noun} would be the store owner’s`,
        );
      insert({
        ...content,
        createdAt: new Date().toISOString(),
        teamId,
        tokenId,
        visibility: content.visibility ?? (teamId === null ? 'PRIVATE' : 'TEAM'),
      } as unknown as Omit<InferInsertModel<T>, 'id'>);
      return get(name);
    }
    const differing = given.find((field) => (stored[field] ?? null) !== (values[field] ?? null));
    if (differing === undefined) return stored;
    if (!options.update) throw new ConflictError(noun, name, differing, stored[differing], values[differing]);
    if (!owns(viewer, stored))
      throw new ForbiddenError(`${noun} "${name}" has another ${differing} and belongs to others`);
    const { createdAt, teamId, tokenId, visibility } = stored;
    update(stored.id, { ...content, createdAt, teamId, tokenId, visibility } as unknown as Omit<
      InferInsertModel<T>,
      'id'
    >);
    return get(name);
  });

  return {
    /**
     * @throws ConflictError when the name is taken by other content and no update was asked for; NameTakenError; ForbiddenError for
     * an update of what belongs to others
     */
    add: (content: Given<T>, options?: { update?: boolean }): Row => add.immediate(content, options),
    find,
    findById,
    /** @throws NotFoundError */
    get,
    /** @throws NotFoundError */
    getById,
    /** All of them, by name. */
    list: (): Row[] => (names.all(bound) as string[]).map(get),
  };
}
