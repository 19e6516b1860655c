import { randomUUID } from 'node:crypto';
import type { Connection } from '../connection.ts';
import { listing } from '../listing.ts';
import { finder, inserter } from '../table-sql.ts';
import { notes } from '../tables/notes.ts';
import type { DiffVectorRow } from './diff-vectors.ts';
import type { OrganismRow } from './organisms.ts';
import type { RunRow } from './runs.ts';
import { bindings, visible, type Viewer } from '../visible.ts';

export type NoteRow = typeof notes.$inferSelect;

/** What a note is about. */
export type NoteSubject =
  | { organism: OrganismRow; run?: undefined; vector?: undefined }
  | { run: RunRow; organism?: undefined; vector?: undefined }
  | { vector: DiffVectorRow; organism?: undefined; run?: undefined };

export function noteStore(sqlite: Connection, viewer: Viewer) {
  // A note is seen as the organism is that it, its run or its vector belongs to.
  const sees = viewer.all
    ? 'true'
    : `exists (select 1 from organisms where ${visible(viewer, 'organisms')} and organisms.id = coalesce(notes.organism_id,
         (select organism_id from runs where runs.id = coalesce(notes.run_id,
           (select run_id from run_layers join diff_vectors on diff_vectors.layer_id = run_layers.id
            where diff_vectors.id = notes.vector_id)))))`;
  const findByKey = finder(sqlite, notes, `key = ? and ${sees}`, bindings(viewer));
  const insert = inserter(sqlite, notes);
  const remove = sqlite.prepare('delete from notes where id = ?');
  const about = <Row extends { id: number; key: string }>(name: string, column: string) =>
    listing(sqlite, {
      name,
      table: notes,
      where: `${column} = @subject`,
      parameters: (row: Row) => ({ subject: row.id }),
      order: ['createdAt', 'key'],
      row: (columns) => columns,
    });
  return {
    findByKey,
    add({ organism, run, vector }: NoteSubject, text: string): NoteRow {
      const key = randomUUID();
      insert({
        key,
        organismId: organism?.id ?? null,
        runId: run?.id ?? null,
        vectorId: vector?.id ?? null,
        subjectKey: (organism ?? run ?? vector).key,
        text,
        createdAt: new Date().toISOString(),
      });
      return findByKey(key) as NoteRow;
    },
    remove: (note: NoteRow): void => void remove.run(note.id),
    ofOrganism: about<OrganismRow>('organism.notes', 'organism_id'),
    ofRun: about<RunRow>('run.notes', 'run_id'),
    ofDiffVector: about<DiffVectorRow>('diffVector.notes', 'vector_id'),
  };
}
