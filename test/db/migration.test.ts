import BetterSqlite3 from 'better-sqlite3';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore, readCertificate } from '../../src/db/index.ts';
import { firstRunKey, writeFirstStore } from '../harness/first-store.ts';
import { seedResults, seedVector, syntheticReadings } from '../harness/synthetic-results.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

function firstStore(): string {
  const file = join(temporaryFolder(), 'store.sqlite');
  writeFirstStore(file);
  return file;
}

/** Every row of these tables, with its integer key where it has one. */
function dump(file: string, tables: readonly string[]): unknown[][] {
  const sqlite = new BetterSqlite3(file, { readonly: true });
  const rows = tables.map((table) => sqlite.prepare(`select * from ${table}`).all());
  sqlite.close();
  return rows;
}

describe('a store of the first version', () => {
  it('is migrated when it is opened for writing, with all its data', () => {
    const file = firstStore();
    expect(() => openStore(file, { readonly: true })).toThrow(
      expect.objectContaining({ code: 'STORE_OLDER' }),
    );
    const owned = ['models', 'organisms', 'corpora'];
    const untouched = ['runs', 'run_layers', 'vector_data', 'projection_tokens'];
    const before = dump(file, untouched);
    const ownedBefore = dump(file, owned);
    const [vectorsBefore, projectionsBefore] = dump(file, ['diff_vectors', 'projections']);
    openStore(file).close();
    expect(dump(file, untouched)).toEqual(before);
    const ownersAlone = { team_id: null, token_id: null, visibility: 'PRIVATE' };
    expect(dump(file, owned)).toEqual(
      ownedBefore.map((rows) => rows.map((row) => ({ ...(row as object), ...ownersAlone }))),
    );
    const [vectorsAfter, projectionsAfter] = dump(file, ['diff_vectors', 'projections']);
    const unmeasured = {
      swap_norm_mean: null,
      swap_norm_deviation: null,
      swap_norm_max: null,
      base_split_norm: null,
      above_noise: null,
    };
    expect(vectorsAfter).toEqual(vectorsBefore!.map((row) => ({ ...(row as object), ...unmeasured })));
    expect(projectionsAfter).toEqual(
      projectionsBefore!.map((row) => ({
        ...(row as object),
        scale: null,
        scale_order: 0,
        chosen: 1,
        score: null,
        mode: 'EXACT',
        parameters_key: '',
        engine_version: '0.1.0',
        created_at: '2026-11-24T10:00:00.000Z',
      })),
    );
  });

  it('has what it had under the keys that it had, and takes what is new', () => {
    const store = openStore(firstStore());
    const run = store.runs.get(firstRunKey);
    expect(readCertificate(run.certificate).adapter?.parameters).toBe(155648);
    const vector = store.diffVectors.findByKey(`${firstRunKey}.L1.P0`)!;
    expect(vector).toMatchObject({ norm: 5, splitHalfCosine: 0.75, swapNormMean: null });
    const diff = store.vectors.findByKey(`${vector.key}/diff`)!;
    expect([...new Float32Array(Uint8Array.from(store.vectors.read(diff)).buffer)]).toEqual([3, 4]);
    const token = store.tokens.findByKey(`${vector.key}.logit-lens.diff.suppressed.1`);
    expect(token).toMatchObject({ tokenId: 12, text: 'SUPPRESSED 1', probability: 0.25 });
    expect(token?.projection).toMatchObject({ chosen: true, scale: null, parameters: { top: 2 } });

    store.projections.save(syntheticReadings(vector));
    expect(store.projections.ofDiffVector.count(vector, { chosen: true })).toBe(3);
    seedResults(store, seedVector(store));
    store.close();
  });

  it('is whole afterwards, and every table strict', () => {
    const file = firstStore();
    openStore(file).close();
    const sqlite = new BetterSqlite3(file, { readonly: true });
    const lax =
      "select name from pragma_table_list where schema = 'main' and strict = 0 and type = 'table' and name not like 'sqlite%'";
    expect(sqlite.prepare(lax).pluck().all()).toEqual(['__drizzle_migrations']);
    expect(sqlite.pragma('foreign_key_check')).toEqual([]);
    expect(sqlite.pragma('integrity_check', { simple: true })).toBe('ok');
    sqlite.close();
  });

  it('stays as it was when the migration fails', () => {
    const file = firstStore();
    const sqlite = new BetterSqlite3(file);
    sqlite.pragma('foreign_keys = OFF');
    sqlite.exec('update projection_tokens set projection_id = 99 where token_id = 12'); // a row without its parent
    sqlite.close();
    const before = dump(file, ['sqlite_schema', 'projections', 'diff_vectors', '__drizzle_migrations']);
    expect(() => openStore(file)).toThrow('migration would break 1 foreign keys');
    expect(dump(file, ['sqlite_schema', 'projections', 'diff_vectors', '__drizzle_migrations'])).toEqual(
      before,
    );
  });
});
