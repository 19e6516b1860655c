import type { Database } from 'better-sqlite3';
import { createSecretKey } from 'node:crypto';
import { resolve } from 'node:path';
import { openDatabase, type OpenOptions } from './client.ts';
import { causalEffectStore } from './stores/causal-effects.ts';
import { corpusStore } from './stores/corpora.ts';
import { diffVectorStore } from './stores/diff-vectors.ts';
import { divergenceStore } from './stores/divergences.ts';
import { idempotencyKeyStore } from './stores/idempotency-keys.ts';
import { jobStore } from './stores/jobs.ts';
import { modelStore } from './stores/models.ts';
import { noteStore } from './stores/notes.ts';
import { organismStore } from './stores/organisms.ts';
import { principalComponentsStore } from './stores/principal-components.ts';
import { projectionTokenStore } from './stores/projection-tokens.ts';
import { projectionStore } from './stores/projections.ts';
import { runLayerStore } from './stores/run-layers.ts';
import { runStore } from './stores/runs.ts';
import { runVectorStore } from './stores/run-vectors.ts';
import { sampleStore } from './stores/samples.ts';
import { similarityStore } from './stores/similarities.ts';
import { steeringExperimentStore } from './stores/steering-experiments.ts';
import { tagStore } from './stores/tags.ts';
import { vectorStore } from './stores/vectors.ts';
import { owner, type Viewer } from './visible.ts';

/** Everything measured, in one SQLite file. All calls are synchronous. */
export type Store = ReturnType<typeof openStore>;

/**
 * Opens the store in this file, creating and migrating it as needed. Read-only, nothing is created or migrated (SQLite itself
 * keeps its -wal and -shm files beside a store that is being read; where it cannot, the store is as it was when it was opened).
 * @throws StoreError in one line, with a code, for a file that cannot be used
 */
export function openStore(file: string, options: OpenOptions = {}) {
  const sqlite = openDatabase(file, options);
  return {
    ...storesFor(sqlite, owner),
    /** Whole path of the file. */
    file: resolve(file),
    /** What this viewer may see of the store, by the same calls. Keep it: its statements are prepared once. */
    as: (viewer: Viewer): Stores => storesFor(sqlite, viewer),
    /** Reads a little. @throws whatever reading throws */
    check: () => void sqlite.prepare('select 1 from runs limit 1').get(),
    close: () => void sqlite.close(),
  };
}

/** Everything that one viewer can reach. */
export type Stores = ReturnType<typeof storesFor>;

function storesFor(sqlite: Database, viewer: Viewer) {
  const models = modelStore(sqlite, viewer);
  const organisms = organismStore(sqlite, viewer);
  const runs = runStore(sqlite, viewer, organisms, models);
  const layers = runLayerStore(sqlite, runs);
  const diffVectors = diffVectorStore(sqlite, viewer, layers);
  const projections = projectionStore(sqlite, viewer, diffVectors);
  const steering = steeringExperimentStore(sqlite, diffVectors);
  return {
    /** Signs the cursors of lists of this file: the same after a restart and in every copy. */
    cursorKey: createSecretKey(
      sqlite.prepare("select value from store_keys where name = 'cursor'").pluck().get() as Buffer,
    ),
    models,
    organisms,
    corpora: corpusStore(sqlite, viewer),
    runs,
    layers,
    diffVectors,
    runVectors: runVectorStore(sqlite),
    vectors: vectorStore(sqlite, viewer, diffVectors),
    projections,
    tokens: projectionTokenStore(sqlite, viewer, projections),
    steering,
    samples: sampleStore(sqlite, steering),
    similarities: similarityStore(sqlite, steering),
    causalEffects: causalEffectStore(sqlite, diffVectors),
    divergences: divergenceStore(sqlite, runs),
    components: principalComponentsStore(sqlite, diffVectors),
    jobs: jobStore(sqlite, viewer),
    idempotencyKeys: idempotencyKeyStore(sqlite),
    tags: tagStore(sqlite),
    notes: noteStore(sqlite, viewer),
    /** Whether nothing can be written. */
    readonly: sqlite.readonly,
    /** Runs synchronous work whose writes all happen, or none. */
    transaction: <T>(work: () => T): T => sqlite.transaction(work).immediate(),
  };
}
