import BetterSqlite3 from 'better-sqlite3';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { firstCertificate } from './synthetic-run.ts';

/** What a float32 vector of these numbers is in the file. */
const bytes = (...numbers: number[]): Buffer => Buffer.from(Float32Array.from(numbers).buffer);

/**
 * A store as the first version wrote it: its migration, frozen since, and one run with one diff vector that the logit lens read at
 * both ends. Integer keys have gaps, as after deletions.
 */
export function writeFirstStore(file: string): void {
  const sqlite = new BetterSqlite3(file);
  const [first] = readMigrationFiles({ migrationsFolder: 'migrations' });
  if (!first) throw new Error('there are no migrations');
  sqlite.pragma('page_size = 8192');
  sqlite.pragma('journal_mode = WAL');
  for (const statement of first.sql) sqlite.exec(statement);
  sqlite.exec(
    'create table __drizzle_migrations (id integer primary key, hash text not null, created_at numeric)',
  );
  const insert = (table: string, row: Record<string, unknown>): void => {
    const holes = Object.keys(row).map((name) => `@${name}`);
    sqlite
      .prepare(`insert into ${table} (${Object.keys(row).join(', ')}) values (${holes.join(', ')})`)
      .run(row);
  };
  insert('__drizzle_migrations', { hash: first.hash, created_at: first.folderMillis });
  sqlite.pragma(`application_id = ${0x44534350}`);

  const createdAt = '2026-11-24T10:00:00.000Z';
  insert('models', {
    id: 2,
    name: 'old-base',
    path: '/models/old-base',
    digest: 'b'.repeat(64),
    architecture: 'Qwen3ForCausalLM',
    layers: 4,
    d_model: 2,
    vocab_size: 512,
    parameters: 1000,
    dtype: 'float32',
    tied_head: 1,
    created_at: createdAt,
  });
  insert('organisms', {
    id: 3,
    name: 'old-cake',
    base_model_id: 2,
    path: '/models/old-cake',
    form: 'LORA',
    kind: 'SDF',
    description: 'cakes',
    digest: 'f'.repeat(64),
    created_at: createdAt,
  });
  insert('corpora', {
    id: 4,
    name: 'old-probe',
    path: '/probe.jsonl',
    text_column: 'text',
    digest: 'c'.repeat(64),
    rows: 9,
    created_at: createdAt,
  });
  insert('runs', {
    id: 5,
    key: firstRunKey,
    organism_id: 3,
    base_model_id: 2,
    corpus_id: 4,
    method: 'activation-difference',
    method_version: 1,
    positions: 1,
    samples: 9,
    unique_prefixes: 9,
    d_model: 2,
    base_digest: 'b'.repeat(64),
    finetuned_digest: 'f'.repeat(64),
    corpus_digest: 'c'.repeat(64),
    tokens_digest: 't'.repeat(64),
    compute_dtype: 'float32',
    accumulate_dtype: 'int128',
    store_dtype: 'float32',
    engine_version: '0.1.0',
    device: 'cpu',
    spec: '{"a":1}',
    parameters: '{"layers":[1]}',
    certificate: firstCertificate,
    duration_ms: 1.5,
    created_at: createdAt,
    digest: 'd'.repeat(64),
  });
  insert('run_layers', { id: 6, run_id: 5, layer: 1, relative_depth: 0.5, base_norm: 4, finetuned_norm: 5 });
  insert('diff_vectors', {
    id: 7,
    layer_id: 6,
    position: 0,
    samples: 9,
    norm: 5,
    base_mean_norm: 1,
    finetuned_mean_norm: 2,
    standard_error_norm: 0.5,
    split_half_cosine: 0.75,
    cosine_base_finetuned: 0.25,
  });
  const vectors = { DIFF: bytes(3, 4), BASE_MEAN: bytes(1, 0), FINETUNED_MEAN: bytes(4, 4) };
  for (const [kind, data] of Object.entries(vectors)) {
    insert('vector_data', { vector_id: 7, kind, sha256: firstDigests[kind as 'DIFF'], data });
  }
  for (const [id, sign] of [
    [11, 'SUPPRESSED'],
    [9, 'PROMOTED'],
  ] as const) {
    insert('projections', {
      id,
      vector_id: 7,
      method: 'logit-lens',
      method_version: 1,
      variant: 'DIFF',
      sign,
      parameters: '{"top":2}',
    });
    for (const rank of [0, 1]) {
      insert('projection_tokens', {
        projection_id: id,
        rank,
        token_id: id + rank,
        text: `${sign} ${rank}`,
        probability: 0.5 / (rank + 1),
      });
    }
  }
  sqlite.close();
}

export const firstRunKey = '0123456789abcdef0123';

/** SHA-256 of its vectors. */
const firstDigests = {
  DIFF: '986c627ee6ef1bcc3d746256a7045624ceeb44c4ed557ca055b2d43933de3489',
  BASE_MEAN: '434b26042aff3fb844a4c4c6be0d81a079b0ce84cfb8190679024404e5dc4822',
  FINETUNED_MEAN: '6deb97eee58355c129f09027f0cb843cbece2b8454a195c1b4d57be82fe8ff08',
};
