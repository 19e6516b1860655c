import type { Connection } from '../connection.ts';
import { checks } from '../checks.ts';
import { NotFoundError } from '../errors.ts';
import { parametersKey } from '../keys.ts';
import { graderFields, graderSorts } from '../filters.ts';
import { type Asked, listing } from '../listing.ts';
import { finder, inserter } from '../table-sql.ts';
import { graders } from '../tables/graders.ts';
import { bindings, listed, visible, type Viewer } from '../visible.ts';

export type GraderRow = typeof graders.$inferSelect;
export type NewGrader = Omit<GraderRow, 'id' | 'key' | 'createdAt'>;

export function graderStore(sqlite: Connection, viewer: Viewer) {
  // What a grader is says what was done with an organism, so it is seen with one of its grades.
  const seen = (rule: typeof visible) =>
    viewer.all
      ? 'true'
      : `exists (select 1 from organisms where ${rule(viewer, 'organisms')} and exists (select 1 from grades where grades.organism_id = organisms.id and grades.grader_id = graders.id))`;
  const [sees, lists] = [seen(visible), seen(listed)];
  const findByKey = finder(sqlite, graders, `key = ? and ${sees}`, bindings(viewer));
  const findNewest = finder(
    sqlite,
    graders,
    `name = ? and ${sees} order by version desc, id desc limit 1`,
    bindings(viewer),
  );
  const findById = finder(sqlite, graders, 'id = ?');
  // everybody’s: what is added by its content is one row, whoever else has it.
  const findSame = finder(sqlite, graders, 'key = ?');
  const insert = inserter(sqlite, graders);
  const add = sqlite.transaction((grader: NewGrader): GraderRow => {
    check(grader);
    const { name, ...rest } = grader;
    const key = `${name}.${parametersKey(rest)}`;
    if (!findSame(key)) insert({ ...grader, key, createdAt: new Date().toISOString() });
    return findSame(key) as GraderRow;
  });
  return {
    /** The grader of this content, new or known. @throws InvalidResultError */
    add: (grader: NewGrader): GraderRow => add.immediate(grader),
    findByKey,
    /** The one of this key, or the newest version of this name, of equal ones the last that was made. */
    named: (nameOrKey: string): GraderRow | undefined => findByKey(nameOrKey) ?? findNewest(nameOrKey),
    /** Of a grade. @throws NotFoundError */
    getById(id: number): GraderRow {
      const row = findById(id);
      if (!row) throw new NotFoundError('grader', id);
      return row;
    },
    all: listing(sqlite, {
      name: 'graders',
      table: graders,
      where: `${lists}`,
      parameters: (_: null, __: Asked) => ({}),
      viewer,
      through: 'organisms',
      order: ['name', 'version', 'key'],
      fields: graderFields,
      sorts: graderSorts,
      row: (columns) => columns,
    }),
  };
}

function check({ name: of, version, parameters, ...texts }: NewGrader): void {
  const { name, whole, json, filled } = checks(`grader ${of}`);
  name('name', of);
  whole('version', version, 1);
  json('parameters', parameters);
  for (const [field, text] of Object.entries(texts)) if (text !== null) filled(field, text);
}
