import { createSecretKey } from 'node:crypto';
import { resolve } from 'node:path';
import { ByteLru } from '../lib/byte-lru.ts';
import { CodedError } from '../lib/coded-error.ts';
import { administration } from './administration.ts';
import { openDatabase, type OpenOptions } from './client.ts';
import { Connection } from './connection.ts';
import { accessTokenStore } from './stores/access-tokens.ts';
import { agentMessageStore } from './stores/agent-messages.ts';
import { agentRunStore } from './stores/agent-runs.ts';
import { agentScoreStore } from './stores/agent-scores.ts';
import { auditLog, auditStore } from './stores/audit.ts';
import { causalEffectStore } from './stores/causal-effects.ts';
import { corpusStore } from './stores/corpora.ts';
import { diffVectorStore } from './stores/diff-vectors.ts';
import { divergenceStore } from './stores/divergences.ts';
import { exchangeStore, gradeExchangeStore } from './stores/exchanges.ts';
import { graderStore } from './stores/graders.ts';
import { gradeStore } from './stores/grades.ts';
import { hypothesisStore } from './stores/hypotheses.ts';
import { idempotencyKeyStore } from './stores/idempotency-keys.ts';
import { jobStore, type JobRow } from './stores/jobs.ts';
import { leaseStore } from './stores/leases.ts';
import { modelStore } from './stores/models.ts';
import { noteStore } from './stores/notes.ts';
import { organismStore } from './stores/organisms.ts';
import { principalComponentsStore } from './stores/principal-components.ts';
import { projectionTokenStore } from './stores/projection-tokens.ts';
import { projectionStore } from './stores/projections.ts';
import { relevanceStore } from './stores/relevance.ts';
import { runLayerStore } from './stores/run-layers.ts';
import { runReadingStore } from './stores/run-readings.ts';
import { runStore } from './stores/runs.ts';
import { runVectorStore } from './stores/run-vectors.ts';
import { sampleStore } from './stores/samples.ts';
import { sharingStore } from './stores/sharing.ts';
import { similarityStore } from './stores/similarities.ts';
import { steeringExperimentStore } from './stores/steering-experiments.ts';
import { tagStore } from './stores/tags.ts';
import { teamStore } from './stores/teams.ts';
import { type CheckedVectors, vectorStore } from './stores/vectors.ts';
import { bearer, owner, type Viewer } from './visible.ts';

/** Viewers whose stores are kept: making one costs some hundred closures, its statements are there already. */
const mostViewers = 256;

/** Vectors that are kept in memory once they have been read and checked. */
const mostBytesChecked = 64 * 2 ** 20;

/** Everything measured, in one SQLite file. All calls are synchronous. */
export type Store = ReturnType<typeof openStore>;

/**
 * Opens the store in this file, creating and migrating it as needed. Read-only, nothing is created or migrated (SQLite itself
 * keeps its -wal and -shm files beside a store that is being read; where it cannot, the store is as it was when it was opened).
 * @throws StoreError in one line, with a code, for a file that cannot be used
 */
export function openStore(file: string, options: OpenOptions = {}) {
  const database = openDatabase(file, options);
  const sqlite = new Connection(database);
  const checked: CheckedVectors = new ByteLru(mostBytesChecked);
  const accessTokens = accessTokenStore(sqlite);
  const stores = storesFor(sqlite, checked, owner);
  const kept = new ByteLru<Stores>(mostViewers);
  /** What this viewer may see of the store, by the same calls. */
  const as = (viewer: Viewer): Stores => {
    if (viewer === owner) return stores;
    const name = JSON.stringify([viewer.kind, viewer.all, viewer.teamId, viewer.tokenId]);
    const known = kept.get(name);
    if (known) return known;
    const made = storesFor(sqlite, checked, viewer);
    kept.set(name, made, 1); // counted, not weighed
    return made;
  };
  return {
    ...stores,
    /** Whole path of the file. */
    file: resolve(file),
    as,
    /** For whom a job is done: who asked for it. @throws CodedError FORBIDDEN where that may do nothing any more */
    viewerOf({ teamId, tokenId }: Pick<JobRow, 'teamId' | 'tokenId'>): Viewer {
      if (teamId === null && tokenId === null) return owner;
      const token = tokenId === null ? undefined : accessTokens.find(tokenId);
      if (token?.revokedAt === null) return bearer(token);
      throw new CodedError('FORBIDDEN', 'the token that asked for this has been revoked');
    },
    accessTokens,
    auditLog: auditLog(sqlite),
    exchanges: exchangeStore(sqlite),
    leases: leaseStore(sqlite),
    administration: administration(sqlite, accessTokens, stores),
    /** Reads a little. @throws whatever reading throws */
    check: () => void sqlite.prepare('select 1 from runs limit 1').get(),
    close: () => void database.close(),
  };
}

/** Everything that one viewer can reach. */
export type Stores = ReturnType<typeof storesFor>;

function storesFor(sqlite: Connection, checked: CheckedVectors, viewer: Viewer) {
  const [begin, commit] = [sqlite.prepare('begin deferred'), sqlite.prepare('commit')];
  const models = modelStore(sqlite, viewer);
  const organisms = organismStore(sqlite, viewer);
  const runs = runStore(sqlite, viewer, organisms, models);
  const layers = runLayerStore(sqlite, runs);
  const diffVectors = diffVectorStore(sqlite, viewer, layers);
  const graders = graderStore(sqlite, viewer);
  const projections = projectionStore(sqlite, viewer, diffVectors, graders);
  const steering = steeringExperimentStore(sqlite, diffVectors);
  const samples = sampleStore(sqlite, steering);
  const agentRuns = agentRunStore(sqlite, viewer);
  const hypotheses = hypothesisStore(sqlite, agentRuns);
  return {
    /** Whose stores these are. */
    viewer,
    /** Seals the cursors of lists of this file: the same after a restart and in every copy. */
    cursorKey: createSecretKey(
      sqlite.pluck("select value from store_keys where name = 'cursor'").get() as Buffer,
    ),
    models,
    organisms,
    corpora: corpusStore(sqlite, viewer),
    runs,
    layers,
    diffVectors,
    runReadings: runReadingStore(sqlite),
    runVectors: runVectorStore(sqlite),
    vectors: vectorStore(sqlite, viewer, diffVectors, checked),
    projections,
    tokens: projectionTokenStore(sqlite, viewer, projections, graders),
    steering,
    samples,
    graders,
    grades: gradeStore(sqlite, viewer, graders, projections, samples, hypotheses),
    agentRuns,
    agentMessages: agentMessageStore(sqlite, agentRuns),
    agentScores: agentScoreStore(sqlite, viewer),
    hypotheses,
    gradeExchanges: gradeExchangeStore(sqlite, viewer),
    relevance: relevanceStore(sqlite, viewer),
    similarities: similarityStore(sqlite, steering),
    causalEffects: causalEffectStore(sqlite, diffVectors),
    divergences: divergenceStore(sqlite, runs),
    components: principalComponentsStore(sqlite, diffVectors),
    jobs: jobStore(sqlite, viewer),
    idempotencyKeys: idempotencyKeyStore(sqlite),
    tags: tagStore(sqlite),
    notes: noteStore(sqlite, viewer),
    teams: teamStore(sqlite),
    sharing: sharingStore(sqlite, viewer),
    audit: auditStore(sqlite, viewer),
    /** Whether nothing can be written. */
    readonly: sqlite.readonly,
    /**
     * Runs synchronous reads that all see the store as it is at the first of them, whatever is written beside them. Each is cheaper, too:
     * a statement on its own takes and gives back locks on the file.
     */
    snapshot: <T>(work: () => T): T => {
      if (sqlite.inTransaction || !sqlite.open) return work(); // a closed store says so at the first read
      begin.run();
      try {
        return work();
      } finally {
        if (sqlite.inTransaction) commit.run();
      }
    },
    /** Runs synchronous work whose writes all happen, or none. */
    transaction: <T>(work: () => T): T => sqlite.transaction(work).immediate(),
  };
}
