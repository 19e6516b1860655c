import { CodedError } from '../../lib/coded-error.ts';
import type { Connection } from '../connection.ts';
import { NotFoundError } from '../errors.ts';
import { finder, inserter, rowReader, selectList } from '../table-sql.ts';
import { teams } from '../tables/teams.ts';

export type TeamRow = typeof teams.$inferSelect;

const pattern = /^[a-z0-9][a-z0-9-]{0,49}$/;

export function teamStore(sqlite: Connection) {
  const findByName = finder(sqlite, teams, 'name = ?');
  const findById = finder(sqlite, teams, 'id = ?');
  const insert = inserter(sqlite, teams);
  const all = sqlite.prepare(`select ${selectList(teams)} from teams order by name`);
  const read = rowReader(teams);
  return {
    /** @throws CodedError INVALID_ARGUMENT, CONFLICT */
    add: sqlite.transaction((name: string): TeamRow => {
      if (!pattern.test(name)) {
        throw new CodedError(
          'INVALID_ARGUMENT',
          `a team's name has 1 to 50 small letters, digits and dashes; given is ${JSON.stringify(name)}`,
        );
      }
      if (findByName(name)) throw new CodedError('CONFLICT', `there is a team "${name}" already`);
      insert({ name, createdAt: new Date().toISOString() });
      return findByName(name) as TeamRow;
    }),
    find: findByName,
    /** @throws NotFoundError */
    get(name: string): TeamRow {
      const team = findByName(name);
      if (!team) throw new NotFoundError('team', name);
      return team;
    },
    nameOf: (id: number): string | undefined => findById(id)?.name,
    /** By name. */
    list: (): TeamRow[] => all.all().map(read),
  };
}
