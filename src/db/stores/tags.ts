import type { Connection } from '../connection.ts';
import type { OrganismRow } from './organisms.ts';
import type { RunRow } from './runs.ts';

/** Reached by way of its organism or run, which the viewer has found already. */
export function tagStore(sqlite: Connection) {
  const of = <Row extends OrganismRow | RunRow>(column: 'organism_id' | 'run_id') => {
    const list = sqlite.pluck(`select name from tags where ${column} = ? order by name`);
    const add = sqlite.prepare(`insert or ignore into tags (${column}, name, created_at) values (?, ?, ?)`);
    const remove = sqlite.prepare(`delete from tags where ${column} = ? and name = ?`);
    return {
      list: (row: Row): string[] => list.all(row.id) as string[],
      /** Again is no error. */
      add: (row: Row, name: string): void => void add.run(row.id, name, new Date().toISOString()),
      /** Whether it was there. */
      remove: (row: Row, name: string): boolean => remove.run(row.id, name).changes > 0,
    };
  };
  return { ofOrganism: of<OrganismRow>('organism_id'), ofRun: of<RunRow>('run_id') };
}
