import BetterSqlite3, { type Database, type Statement } from 'better-sqlite3';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openStore, type Store } from '../../../src/db/index.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export type Value = string | number | null;

/** A row of a table, with the rows that it belongs to. */
export interface Row {
  table: Table;
  id: number;
  columns: Record<string, Value>;
  up: Record<string, Row>;
  /** Rows that belong to this one: with any it stays. */
  children: number;
  /** Those rows. */
  below: Set<Row>;
}

/** Columns of a row that say nothing here, and which column holds the id of each row it belongs to. */
const tables = {
  models: {
    columns: {
      path: '/m',
      digest: 'd',
      architecture: 'Qwen3ForCausalLM',
      layers: 4,
      d_model: 16,
      vocab_size: 512,
      parameters: 5,
      dtype: 'float32',
      tied_head: 1,
      created_at: 'c',
    },
    up: {},
  },
  corpora: { columns: { path: '/c', text_column: 'text', digest: 'd', rows: 9, created_at: 'c' }, up: {} },
  organisms: {
    columns: {
      path: '/o',
      description: 'd',
      digest: 'd',
      created_at: 'c',
      form: 'LORA',
      kind: 'SDF',
      ground_truth: null,
      mix_ratio: null,
    },
    up: { base: 'base_model_id' },
  },
  runs: {
    columns: {
      method: 'activation-difference',
      method_version: 1,
      positions: 3,
      samples: 9,
      unique_prefixes: 9,
      d_model: 16,
      base_digest: 'b',
      finetuned_digest: 'f',
      corpus_digest: 'c',
      tokens_digest: 't',
      compute_dtype: 'float32',
      accumulate_dtype: 'int128',
      store_dtype: 'float32',
      engine_version: '0.1.0',
      device: 'cpu',
      spec: '{}',
      parameters: '{}',
      certificate: '{}',
      duration_ms: 1,
      created_at: 'c',
      digest: 'd',
    },
    up: { organism: 'organism_id', base: 'base_model_id', corpus: 'corpus_id' },
  },
  run_layers: { columns: { relative_depth: 0.5, base_norm: 4, finetuned_norm: 5 }, up: { run: 'run_id' } },
  diff_vectors: {
    columns: {
      samples: 9,
      norm: 1,
      base_mean_norm: 1,
      finetuned_mean_norm: 1,
      standard_error_norm: 0.5,
      split_half_cosine: 0.5,
      cosine_base_finetuned: 0.5,
      swap_norm_mean: null,
      swap_norm_deviation: null,
    },
    up: { layer: 'layer_id' },
  },
  projections: {
    columns: {
      method: 'logit-lens',
      method_version: 1,
      variant: 'DIFF',
      sign: 'PROMOTED',
      scale: null,
      chosen: 1,
      score: null,
      mode: 'EXACT',
      parameters: '{}',
      engine_version: '0.1.0',
      created_at: 'c',
    },
    up: { vector: 'vector_id' },
  },
  projection_tokens: { columns: { probability: 0.5 }, up: { projection: 'projection_id' } },
  causal_effects: {
    columns: {
      mode: 'EXACT',
      corpus_name: 'c',
      corpus_digest: 'd',
      vectors: 1,
      base_loss: 4,
      finetuned_loss: 2,
      intervened_loss: 3,
      count: 9,
      parameters: '{}',
      conditions_key: 'k',
      engine_version: '0.1.0',
      created_at: 'c',
    },
    up: { vector: 'vector_id' },
  },
  principal_components: {
    columns: {
      samples: 9,
      explained: '[1]',
      total: 1,
      parameters: '{}',
      engine_version: '0.1.0',
      created_at: 'c',
    },
    up: { vector: 'vector_id' },
  },
  divergences: {
    columns: {
      mean: 1,
      max: 2,
      count: 9,
      vocabulary: 512,
      parameters: '{}',
      engine_version: '0.1.0',
      created_at: 'c',
    },
    up: { run: 'run_id' },
  },
  steering_experiments: {
    columns: {
      judge_version: 1,
      mode: 'EXACT',
      strength: 1,
      thresholds: '[]',
      seed: 1,
      parameters: '{}',
      settings: '{}',
      engine_version: '0.1.0',
      created_at: 'c',
      search: '[]',
    },
    up: { vector: 'vector_id' },
  },
  samples: { columns: { strength: 1, finish: 'LENGTH', tokens: 3 }, up: { experiment: 'experiment_id' } },
  similarities: {
    columns: {
      encoder_name: 'e',
      encoder_digest: 'd',
      cosine: 0.5,
      texts: 2,
      other_texts: 2,
      parameters: '{}',
      engine_version: '0.1.0',
      created_at: 'c',
    },
    up: { experiment: 'experiment_id' },
  },
  agent_runs: {
    columns: {
      version: 1,
      provider: null,
      parameters: '{}',
      error_code: null,
      prompt_tokens: 1,
      lost_calls: 0,
      lost_tokens: 0,
      pending_calls: 0,
      pending_tokens: 0,
      engine_version: '0.1.0',
    },
    up: { organism: 'organism_id' },
  },
  graders: { columns: { version: 1, parameters: '{}', created_at: 'c' }, up: {} },
  grades: {
    columns: {
      subject_key: 'k',
      metrics: '{}',
      exchanges: '[]',
      parameters: '{}',
      engine_version: '0.1.0',
      created_at: 'c',
    },
    up: { grader: 'grader_id', organism: 'organism_id', projection: 'projection_id', sample: 'sample_id' },
  },
  notes: {
    columns: { subject_key: 'k', text: 't' },
    up: { organism: 'organism_id', run: 'run_id', vector: 'vector_id' },
  },
  jobs: {
    columns: {
      spec: '{}',
      priority: 0,
      attempts: 0,
      stalls: 0,
      crashes: 0,
      fence: 0,
      boot: 'b',
      lease_until: 0,
      available_at: 0,
      cancel_requested: 0,
    },
    up: {},
  },
} satisfies Record<string, { columns: Record<string, Value>; up: Record<string, string> }>;

export type Table = keyof typeof tables;

/**
 * A store and the same rows in memory, written by plain SQL and read by nobody's queries: what lists should hold is worked out
 * from `rows`. It takes values that a measurement never stores, such as infinities.
 */
export class World {
  readonly store: Store;
  readonly #sqlite: Database;
  readonly #rows: Record<Table, Row[]>;
  #ids = 0;

  constructor() {
    const file = join(temporaryFolder(), 'store.sqlite');
    this.store = openStore(file);
    this.#sqlite = new BetterSqlite3(file);
    this.#sqlite.pragma('synchronous = OFF');
    this.#sqlite.pragma('foreign_keys = ON');
    this.#rows = Object.fromEntries(Object.keys(tables).map((table) => [table, [] as Row[]])) as Record<
      Table,
      Row[]
    >;
    onTestFinished(() => {
      this.store.close();
      this.#sqlite.close();
    });
  }

  rows(table: Table): readonly Row[] {
    return this.#rows[table];
  }

  /** A number that no row has. */
  fresh(): number {
    return ++this.#ids;
  }

  add(table: Table, columns: Record<string, Value>, up: Record<string, Row> = {}): Row {
    const definition: { columns: Record<string, Value>; up: Record<string, string> } = tables[table];
    const row: Row = {
      table,
      id: this.fresh(),
      columns: { ...definition.columns, ...columns },
      up,
      children: 0,
      below: new Set(),
    };
    const links = Object.entries(up).map(([name, { id }]) => [definition.up[name]!, id] as const);
    const written: Record<string, Value> = { ...row.columns, ...Object.fromEntries(links) };
    if (table !== 'projection_tokens') written['id'] = row.id;
    this.#insert(table, written);
    if (table === 'projection_tokens') this.#index(row.columns['text'] ?? null);
    for (const parent of Object.values(up)) {
      parent.children++;
      parent.below.add(row);
    }
    this.#rows[table].push(row);
    return row;
  }

  /** Takes away a row without children. */
  remove(row: Row): void {
    if (row.children > 0) throw new Error(`a row of ${row.table} has children`);
    if (row.table === 'projection_tokens') {
      this.#run('delete from projection_tokens where projection_id = ? and rank = ?', [
        row.up['projection']!.id,
        row.columns['rank']!,
      ]);
    } else {
      this.#run(`delete from ${row.table} where id = ?`, [row.id]);
    }
    for (const parent of Object.values(row.up)) {
      parent.children--;
      parent.below.delete(row);
    }
    this.#rows[row.table].splice(this.#rows[row.table].indexOf(row), 1);
  }

  #insert(table: string, row: Record<string, Value>): void {
    const names = Object.keys(row);
    this.#run(
      `insert into ${table} (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`,
      Object.values(row),
    );
  }

  /** What a search by text needs. */
  #index(text: Value): void {
    if (text === null) return;
    const { changes, lastInsertRowid } = this.#run(
      'insert into token_texts (text) values (?) on conflict do nothing',
      [text],
    );
    if (changes > 0) {
      this.#run('insert into token_texts_trigrams (rowid, text) values (?, ?)', [
        Number(lastInsertRowid),
        text,
      ]);
    }
  }

  readonly #statements = new Map<string, Statement<Value[]>>();
  #run(sql: string, values: Value[]) {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#sqlite.prepare<Value[]>(sql)));
    return statement.run(...values);
  }
}

/** A value of a row or of one that it belongs to: `layer.run.organism.name`. */
export function at(row: Row, path: string): Value {
  const steps = path.split('.');
  const column = steps.pop()!;
  let from: Row | undefined = row;
  for (const step of steps) from = from?.up[step];
  return from?.columns[column] ?? null;
}

/** The row that a row belongs to, over several steps; '' is the row itself. Undefined where it belongs to none such. */
export const above = (row: Row, path: string): Row | undefined =>
  path === '' ? row : path.split('.').reduce<Row | undefined>((from, step) => from?.up[step], row);

/** Text by code points, numbers by size; without nulls. */
export function compareValues(a: Exclude<Value, null>, b: Exclude<Value, null>): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
