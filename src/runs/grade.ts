import type { NewGrade, ProjectionRow, RunRow, Store } from '../db/index.ts';
import {
  addTokens,
  candidatesJudged,
  candidatesOf,
  frequentTokens,
  offlineIdentity,
  offlineRelevance,
  type OfflineRelevance,
  offlineRules,
  relevanceMetrics,
} from '../graders/index.ts';
import type { JsonObject } from '../lib/canonical-json.ts';
import { CodedError } from '../lib/coded-error.ts';
import { openTokenizer } from '../tokenizer/index.ts';
import { corpusDigestOf, eachText } from './corpus.ts';
import { type GradedRun, gradedRun, type GradeRunOptions, readingsOf } from './graded-readings.ts';
import { textColumnOf } from './stored-run.ts';
import { unchangedDigest } from './unchanged-digest.ts';

/**
 * Grades what the vectors of a layer were read as, by the share of the twenty strongest tokens that the finetuning corpus makes
 * relevant, and stores every grade, all or none. What is there already, of the same corpora, is not graded again.
 * @throws CodedError NOT_FOUND naming what there is, MODEL_CHANGED, CORPUS_CHANGED; CorpusError
 */
export async function gradeRelevanceOfRun(
  store: Store,
  run: RunRow,
  options: GradeRunOptions = {},
): Promise<GradedRun> {
  const { signal, onPhase } = options;
  const readings = readingsOf(store, run, options);
  const corpora = corporaOf(store, run);

  onPhase?.('digest');
  const digests = {
    training: await corpusDigestOf(corpora.training.file, signal),
    probe: await corpusDigestOf(corpora.probe.file, signal),
  };
  if (digests.probe !== run.corpusDigest)
    throw new CodedError(
      'CORPUS_CHANGED',
      `${corpora.probe.file} is another file now than run ${run.key} was measured on; measure it again`,
    );
  const grader = store.graders.add({
    ...offlineIdentity,
    promptDigest: null,
    provider: null,
    endpoint: null,
    model: null,
    parameters: offlineRules,
  });
  const parameters: JsonObject = { candidates: candidatesJudged, ...digests };
  const known = (projection: ProjectionRow) =>
    store.grades.find({ subject: { projection }, grader, parameters });
  const missing = readings.places.flatMap(({ projections }) => projections).filter((row) => !known(row));
  if (missing.length > 0) {
    const base = store.models.getById(run.baseModelId);
    await unchangedDigest(base, 'base model', signal);
    onPhase?.('tokens');
    const judge = await judgeOf(base.path, corpora, digests, signal);
    onPhase?.('save');
    store.grades.save(missing.map((row) => ({ ...judge(store, row), grader, parameters })));
  }
  return gradedRun(store, readings, grader, known, missing.length === 0);
}

type Corpora = Record<'training' | 'probe', { file: string; textColumn: string }>;

function corporaOf(store: Store, run: RunRow): Corpora {
  const organism = store.organisms.getById(run.organismId);
  if (organism.trainingCorpus === null) {
    throw new CodedError(
      'NOT_FOUND',
      `organism "${organism.name}" was registered without a training corpus; register it again with --training-corpus`,
    );
  }
  return {
    training: { file: organism.trainingCorpus, textColumn: 'text' },
    probe: { file: store.corpora.getById(run.corpusId).path, textColumn: textColumnOf(store, run) },
  };
}

type Judged = Omit<NewGrade, 'grader' | 'parameters'>;

/** Reads both corpora. What they were meanwhile must be what the grades will say they are. */
async function judgeOf(
  base: string,
  corpora: Corpora,
  digests: Record<keyof Corpora, string>,
  signal: AbortSignal | undefined,
): Promise<(store: Store, projection: ProjectionRow) => Judged> {
  const tokenizer = openTokenizer(base);
  const countsOf = async (name: keyof Corpora): Promise<Map<number, number>> => {
    const counts = new Map<number, number>();
    const { digest } = await eachText(corpora[name], (text) => addTokens(counts, text, tokenizer), signal);
    if (digest === digests[name]) return counts;
    throw new CodedError('CORPUS_CHANGED', `${corpora[name].file} was changed while it was read; try again`);
  };
  const training = await countsOf('training');
  const probe = await countsOf('probe');
  const judge = offlineRelevance({ training, probe }, tokenizer);
  const frequent = frequentTokens(training, tokenizer);
  return (store, projection) => judged(store, projection, judge, frequent);
}

function judged(
  store: Store,
  projection: ProjectionRow,
  judge: OfflineRelevance,
  frequent: ReturnType<typeof frequentTokens>,
): Judged {
  const tokens = store.tokens.ofProjection.page(projection, {}, { first: candidatesJudged }).rows;
  const candidates = candidatesOf(tokens);
  const grade: Judged = {
    subject: { projection },
    scale: 'SHARE',
    label: null,
    value: null,
    invalid: null,
    rationale: null,
    tokenLabels: null,
    metrics: {},
    exchanges: [],
  };
  if (candidates.length === 0) return { ...grade, invalid: 'no token has a text' };
  const labels = candidates.map(({ text }) => judge.label(text));
  const metrics = relevanceMetrics(candidates, labels, frequent);
  return {
    ...grade,
    value: metrics.percentage,
    tokenLabels: tokens.map(({ text }) => (text === null || text === '' ? null : judge.label(text))),
    metrics: {
      candidates: metrics.candidates,
      relevant: metrics.relevant,
      unknown: metrics.unknown,
      weightedPercentage: metrics.weightedPercentage,
      trivialPercentage: metrics.trivialPercentage,
    },
  };
}
