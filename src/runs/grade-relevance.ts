import type { NewGrade, OrganismRow, ProjectionRow, RunRow, Store } from '../db/index.ts';
import {
  addTokens,
  type AgreementRule,
  type CanaryReport,
  candidatesJudged,
  candidatesOf,
  type FrequentToken,
  frequentTokens,
  gradeRelevances,
  type RelevanceGrade,
  type RelevanceLabel,
  type Runner,
  tokenRelevance,
} from '../graders/index.ts';
import type { JsonObject } from '../lib/canonical-json.ts';
import { CodedError } from '../lib/coded-error.ts';
import { sha256 } from '../lib/sha256.ts';
import { openTokenizer } from '../tokenizer/index.ts';
import { eachText } from './corpus.ts';
import { chosenByTournament } from './grade-scales.ts';
import { type GradedRun, gradedRun, type GradeRunOptions, readingsOf } from './graded-readings.ts';
import { type Asking, askingOf, exchangesOf, findGrader, graderOf, noAsking } from './judge.ts';

export interface JudgeRelevanceOptions extends GradeRunOptions {
  /** Orders of each list that are asked about; 3 as published. */
  rotations?: number | undefined;
  /** ALL as published. */
  agreement?: AgreementRule | undefined;
  /** Reads each vector at the scale that this model chose in a tournament, not at the one the method chose. */
  byTournament?: boolean | undefined;
  dryRun?: boolean | undefined;
}

export interface JudgedRun {
  /** Null after a dry run. */
  graded: GradedRun | null;
  asking: Asking;
  /** Null where nothing was asked. */
  canary: CanaryReport<RelevanceLabel[]> | null;
}

/**
 * Has a language model judge the twenty strongest tokens of what the vectors of a layer were read as, and stores a grade a reading. All
 * of them are stored at the end, or none; replies are stored as they come, so that asked again after whatever ended it, nothing is paid twice.
 * @throws CodedError NOT_FOUND naming what there is; what Runner.ask throws
 */
export async function judgeRelevanceOfRun(
  store: Store,
  run: RunRow,
  runner: Runner,
  options: JudgeRelevanceOptions = {},
): Promise<JudgedRun> {
  const { rotations = 3, agreement = 'ALL', byTournament = false, dryRun = false } = options;
  const { signal, onPhase } = options;
  const organism = store.organisms.getById(run.organismId);
  const description = truthOf(organism);
  const wanted = graderOf(tokenRelevance, runner);
  const choice = byTournament ? chosenByTournament(store, runner) : null;
  const readings = readingsOf(store, run, options, choice?.projection);

  onPhase?.('tokens');
  const { frequent, digest } = await frequentOf(store, run, organism, signal);
  const parametersOf = (projection: ProjectionRow): JsonObject => {
    const selected = choice?.selected(projection);
    return {
      ...{ candidates: candidatesJudged, rotations, agreement, description: sha256(description) },
      training: digest,
      ...(selected !== undefined && { selected }),
    };
  };
  const grader = dryRun ? findGrader(store, wanted) : store.graders.add(wanted);
  const known = (projection: ProjectionRow) =>
    grader && store.grades.find({ subject: { projection }, grader, parameters: parametersOf(projection) });
  const missing = readings.places.flatMap(({ projections }) => projections).filter((row) => !known(row));
  const read = missing.map((row) => {
    const tokens = store.tokens.ofProjection.page(row, {}, { first: candidatesJudged }).rows;
    return { row, tokens, candidates: candidatesOf(tokens) };
  });
  const speaking = read.filter(({ candidates }) => candidates.length > 0);
  let [asking, canary]: [Asking, JudgedRun['canary']] = [noAsking, null];
  const gradeOf = new Map<ProjectionRow, RelevanceGrade>();
  if (speaking.length > 0) {
    onPhase?.('judge');
    const batch = await gradeRelevances(
      runner,
      speaking.map(({ candidates }) => candidates),
      {
        ...{ description, frequent, rotations, agreement, signal },
        selected: speaking.map(({ row }) => choice?.selected(row)),
      },
    );
    batch.grades.forEach((grade, i) => gradeOf.set((speaking[i] as (typeof speaking)[number]).row, grade));
    asking = askingOf(batch.grades.flatMap(({ answers }) => answers));
    ({ canary } = batch);
  }
  if (dryRun || !grader) return { graded: null, asking, canary };
  onPhase?.('save');
  store.grades.save(
    read.map(({ row, tokens }): NewGrade => ({
      ...record(gradeOf.get(row), tokens, canary),
      ...{ subject: { projection: row }, grader, parameters: parametersOf(row) },
    })),
  );
  return { graded: gradedRun(store, readings, grader, known, missing.length === 0), asking, canary };
}

function record(
  grade: RelevanceGrade | undefined,
  tokens: readonly { text: string | null }[],
  canary: JudgedRun['canary'],
): Omit<NewGrade, 'subject' | 'grader' | 'parameters'> {
  const common = { scale: 'SHARE' as const, label: null, rationale: null };
  if (!grade) {
    const invalid = 'no token has a text';
    return { ...common, value: null, invalid, tokenLabels: null, metrics: {}, exchanges: [] };
  }
  const { answers, labels, metrics, removed } = grade;
  const invalid = unanswered(answers);
  let next = 0;
  return {
    ...common,
    value: invalid === null ? metrics.percentage : null,
    invalid,
    tokenLabels:
      invalid === null
        ? tokens.map(({ text }) => (text === null || text === '' ? null : (labels[next++] ?? null)))
        : null,
    metrics: {
      ...(invalid === null && {
        candidates: metrics.candidates,
        relevant: metrics.relevant,
        unknown: metrics.unknown,
        weightedPercentage: metrics.weightedPercentage,
        trivialPercentage: metrics.trivialPercentage,
        filteredPercentage: metrics.filteredPercentage,
        weightedFilteredPercentage: metrics.weightedFilteredPercentage,
      }),
      invalidReplies: answers.filter((answer) => answer.invalid !== null).length,
      removed,
      canaryFlagged: Number(canary?.flagged ?? false),
    },
    exchanges: exchangesOf(answers),
  };
}

/** Why a list has no labels: an order of it about which no reply could be used. Null where every order was answered. */
function unanswered(answers: RelevanceGrade['answers']): string | null {
  for (const rotation of new Set(answers.map((answer) => answer.rotation))) {
    const of = answers.filter((answer) => answer.rotation === rotation);
    if (of.every(({ invalid }) => invalid !== null)) return `order ${rotation}: ${of.at(-1)?.invalid}`;
  }
  return null;
}

/** What an organism was trained on, in words. @throws CodedError NOT_FOUND */
export function truthOf({ name, groundTruth }: OrganismRow): string {
  if (groundTruth !== null && groundTruth.trim() !== '') return groundTruth;
  throw new CodedError(
    'NOT_FOUND',
    `organism "${name}" was registered without a ground truth; register it again with --ground-truth`,
  );
}

/** Frequent tokens of the training corpus, and its digest; none of an organism that has none, as published. */
async function frequentOf(
  store: Store,
  run: RunRow,
  { trainingCorpus }: OrganismRow,
  signal: AbortSignal | undefined,
): Promise<{ frequent: FrequentToken[]; digest: string | null }> {
  if (trainingCorpus === null) return { frequent: [], digest: null };
  const tokenizer = openTokenizer(store.models.getById(run.baseModelId).path);
  const counts = new Map<number, number>();
  const { digest } = await eachText(
    { file: trainingCorpus, textColumn: 'text' },
    (text) => addTokens(counts, text, tokenizer),
    signal,
  );
  return { frequent: frequentTokens(counts, tokenizer), digest };
}
