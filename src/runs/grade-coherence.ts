import type { GradeRow, NewGrade, RunRow, SampleRow, SteeringExperimentRow, Store } from '../db/index.ts';
import {
  type CanaryReport,
  coherence,
  type CoherenceGrade,
  gradeCoherences,
  type Runner,
} from '../graders/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import {
  type Asking,
  askingOf,
  exchangesOf,
  findGrader,
  graderOf,
  inPlaceOf,
  isToBeJudged,
  noAsking,
} from './judge.ts';
import { layerOf, vectorsOf, type WorkOptions } from './stored-run.ts';

export interface CoherenceRunOptions extends Omit<WorkOptions, 'threads'> {
  layer?: number | undefined;
  /** All that were steered by when left out. */
  positions?: readonly number[] | undefined;
  dryRun?: boolean | undefined;
}

export interface JudgedTexts {
  experiments: {
    experiment: SteeringExperimentRow;
    /** Null after a dry run. */
    samples: { sample: SampleRow; grade: GradeRow }[] | null;
  }[];
  asking: Asking;
  /** [experiment that was asked about] */
  canaries: CanaryReport<CoherenceGrade['verdict']>[];
}

const everything = { first: 100_000 };

/**
 * Has a language model judge the texts of a run's steering experiments, steered and not, and stores a grade a text, whole experiments at
 * a time. Replies are stored as they come.
 * @throws CodedError NOT_FOUND where nothing was steered; what Runner.ask throws
 */
export async function judgeCoherenceOfRun(
  store: Store,
  run: RunRow,
  runner: Runner,
  { layer, positions, ...options }: CoherenceRunOptions = {},
): Promise<JudgedTexts> {
  const at = layerOf(store, run, layer);
  const experiments = vectorsOf(store, at, positions).flatMap(
    (vector) => store.steering.ofDiffVector.page(vector, {}, everything).rows,
  );
  if (experiments.length === 0)
    throw new CodedError(
      'NOT_FOUND',
      `nothing was steered by layer ${at.layer} of run ${run.key} at the positions asked for; steer it with deltascope steer`,
    );
  const judged: JudgedTexts = { experiments: [], asking: noAsking, canaries: [] };
  for (const experiment of experiments) {
    const { samples, asking, canary } = await judgeExperiment(store, experiment, runner, options);
    judged.experiments.push({ experiment, samples });
    judged.asking = sum(judged.asking, asking);
    if (canary) judged.canaries.push(canary);
  }
  return judged;
}

const sum = (a: Asking, b: Asking): Asking => ({
  replies: a.replies + b.replies,
  known: a.known + b.known,
  invalid: a.invalid + b.invalid,
});

/** The texts of one experiment. */
export async function judgeExperiment(
  store: Store,
  experiment: SteeringExperimentRow,
  runner: Runner,
  { dryRun = false, signal, onPhase }: Pick<CoherenceRunOptions, 'dryRun' | 'signal' | 'onPhase'> = {},
) {
  const wanted = graderOf(coherence, runner);
  const grader = dryRun ? findGrader(store, wanted) : store.graders.add(wanted);
  const known = (sample: SampleRow) =>
    grader && store.grades.find({ subject: { sample }, grader, parameters: {} });
  const samples = store.samples.ofExperiment.page(experiment, {}, everything).rows;
  const missing = samples.filter((sample) => isToBeJudged(known(sample), runner));
  let [asking, canary]: [Asking, JudgedTexts['canaries'][number] | null] = [noAsking, null];
  if (missing.length > 0) {
    onPhase?.('judge');
    const texts = missing.map((sample) => store.samples.read(sample).text);
    const batch = await gradeCoherences(runner, texts, signal);
    asking = askingOf(batch.grades.flatMap(({ answers }) => answers));
    ({ canary } = batch);
    if (grader && !dryRun) {
      onPhase?.('save');
      const { flagged } = batch.canary;
      const old = missing.map(known);
      store.grades.save(
        missing.map((sample, i) =>
          inPlaceOf(old[i], {
            ...record(batch.grades[i] as CoherenceGrade, flagged),
            ...{ subject: { sample }, grader, parameters: {} },
          }),
        ),
        { inPlaceOf: old },
      );
    }
  }
  return {
    samples: dryRun ? null : samples.map((sample) => ({ sample, grade: known(sample) as GradeRow })),
    asking,
    canary,
  };
}

function record(
  { verdict, answers, removed }: CoherenceGrade,
  canaryFlagged: boolean,
): Omit<NewGrade, 'subject' | 'grader' | 'parameters'> {
  const isKnown = verdict !== 'UNKNOWN';
  return {
    scale: 'LABEL',
    label: isKnown ? verdict : null,
    value: null,
    invalid: isKnown ? null : (answers.at(-1)?.invalid ?? 'a blank text'),
    rationale: null,
    tokenLabels: null,
    metrics: {
      invalidReplies: answers.filter(({ invalid }) => invalid !== null).length,
      removed,
      canaryFlagged: Number(canaryFlagged),
    },
    exchanges: exchangesOf(answers),
  };
}
