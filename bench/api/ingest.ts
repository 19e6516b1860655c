import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { openStore } from '../../src/db/index.ts';
import { recordOf, seedBase } from './dataset.ts';

/** Milliseconds to store about 1,000 vectors and 100,000 projections: by the store, and by bare inserts in one transaction. */
export function ingest(folder: string, round: number): { ours: number; raw: number } {
  const [our, raw] = ['ours', 'raw'].map((name) => join(folder, `${name}-${round}.sqlite`)) as [
    string,
    string,
  ];
  const [ourStore, rawStore] = [openStore(our), openStore(raw)];
  const { corpus, organism } = seedBase(ourStore);
  const record = recordOf({
    organismId: organism(0).id,
    corpusId: corpus.id,
    layers: 32,
    positions: 10,
    projections: 313,
    seed: 1,
  });
  let begun = performance.now();
  const run = ourStore.runs.save(record);
  const ours = performance.now() - begun;
  ourStore.close();

  const other = seedBase(rawStore);
  other.organism(0);
  rawStore.close();
  // The rows as the store wrote them, read beforehand: what is timed is inserting them and nothing else.
  const from = new BetterSqlite3(our, { readonly: true });
  const into = new BetterSqlite3(raw);
  into.pragma('synchronous = FULL');
  into.pragma('foreign_keys = ON');
  const tables = [
    'runs',
    'run_layers',
    'diff_vectors',
    'vector_data',
    'projections',
    'projection_tokens',
  ].map((table) => {
    const columns = (into.pragma(`table_xinfo(${table})`) as { name: string; hidden: number }[]).filter(
      ({ hidden }) => hidden === 0,
    );
    const names = columns.map(({ name }) => `"${name}"`);
    return {
      rows: from
        .prepare(`select ${names.join(', ')} from ${table}`)
        .raw()
        .all(),
      insert: into.prepare(
        `insert into ${table} (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`,
      ),
    };
  });
  if (tables[4]?.rows.length !== 32 * 10 * 313) throw new Error(`run ${run.key} was not stored whole`);
  begun = performance.now();
  into
    .transaction(() => {
      for (const { rows, insert } of tables) for (const row of rows) insert.run(row as unknown[]);
    })
    .immediate();
  const taken = performance.now() - begun;
  from.close();
  into.close();
  return { ours, raw: taken };
}
