import {
  type NewGrade,
  type ProjectionRow,
  projectionVariants,
  type RunRow,
  type Store,
} from '../db/index.ts';
import {
  candidatesJudged,
  type Runner,
  scaleByTournament,
  scaleTournament,
  type TournamentResult,
} from '../graders/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import type { GradeRunOptions } from './graded-readings.ts';
import { readingsOf } from './graded-readings.ts';
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

/** What a token that belongs with others, and the scale that won, are called in a grade. */
const selectedLabel = 'SELECTED';
const chosenLabel = 'CHOSEN';

export interface ChosenScale {
  /** The winner, with its grade; null where no scale has a token. */
  projection: ProjectionRow | null;
  /** Why no reply of the last round could be used; null where one could. */
  invalid: string | null;
  scale: number | null;
  selected: string[];
}

export interface ScalesOfRun {
  layer: number;
  /** Null after a dry run. */
  vectors: { position: number; variant: string; chosen: ChosenScale }[] | null;
  asking: Asking;
}

/**
 * Has a language model choose the scale to read each vector of a layer at (method.md §5.5), and stores the winner's grade: a label, and
 * which of its tokens belong together. A vector that has such a grade by this judge is not asked about again.
 * @throws CodedError NOT_FOUND naming what there is; what Runner.ask throws
 */
export async function chooseScalesOfRun(
  store: Store,
  run: RunRow,
  runner: Runner,
  options: Omit<GradeRunOptions, 'method'> & { dryRun?: boolean | undefined } = {},
): Promise<ScalesOfRun> {
  const { signal, onPhase, dryRun = false } = options;
  const readings = readingsOf(store, run, { ...options, method: 'patchscope' });
  const heads = readings.places.flatMap(({ projections }) => projections);
  const missing = heads.filter((head) => isToBeJudged(gradeAmong(store, runner, head)?.grade, runner));
  onPhase?.('judge');
  const played = await Promise.all(
    missing.map(async (head) => {
      const scales = scalesOf(store, head);
      const result = await scaleByTournament(
        runner,
        scales.map((row) => ({
          scale: row.scale ?? 0,
          tokens: textsOf(store, row),
          score: row.score ?? undefined,
        })),
        signal,
      );
      return { scales, result };
    }),
  );
  const asking =
    played.length === 0
      ? noAsking
      : askingOf(played.flatMap(({ result }) => result.matches.flatMap(({ answers }) => answers)));
  if (dryRun) return { layer: readings.layer.layer, vectors: null, asking };
  onPhase?.('save');
  const grader = store.graders.add(graderOf(scaleTournament, runner));
  const old = missing.map((head) => gradeAmong(store, runner, head)?.grade);
  store.grades.save(
    played.flatMap(({ scales, result }, i): NewGrade[] => {
      const winner = scales.find(({ scale }) => scale === result.scale);
      const grade = winner && { ...record(store, winner, result), grader, parameters: {} };
      return grade ? [inPlaceOf(old[i], grade)] : [];
    }),
    { inPlaceOf: old },
  );
  const order = (head: ProjectionRow) => projectionVariants.indexOf(head.variant);
  return {
    layer: readings.layer.layer,
    vectors: readings.places.flatMap(({ vector, projections }) =>
      [...projections]
        .sort((a, b) => order(a) - order(b))
        .map((head) => ({
          position: vector.position,
          variant: head.variant,
          chosen: chosenOf(store, runner, head),
        })),
    ),
    asking,
  };
}

function record(
  store: Store,
  projection: ProjectionRow,
  { selected, matches, removed }: TournamentResult,
): Omit<NewGrade, 'grader' | 'parameters'> {
  const answers = matches.flatMap((match) => match.answers);
  const last = matches.at(-1);
  const invalid =
    last?.decided === 'BY_LLM' ? null : `the last round: ${last?.answers.at(-1)?.invalid ?? 'no reply'}`;
  const belongs = new Set(selected);
  return {
    subject: { projection },
    scale: 'LABEL',
    label: invalid === null ? chosenLabel : null,
    value: null,
    invalid,
    rationale: null,
    tokenLabels:
      invalid === null
        ? textsOf(store, projection).map((text) => (belongs.has(text.trim()) ? selectedLabel : null))
        : null,
    metrics: {
      matches: matches.length,
      decidedByScore: matches.filter(({ decided }) => decided === 'BY_SCORE').length,
      invalidReplies: answers.filter((answer) => answer.invalid !== null).length,
      removed,
    },
    exchanges: exchangesOf(answers),
  };
}

/** All scales that a reading was chosen from, by rising scale. */
const scalesOf = (store: Store, head: ProjectionRow): ProjectionRow[] =>
  store.projections.ofDiffVector
    .page(
      head.diffVector,
      { method: head.method, variant: head.variant, sign: head.sign, mode: head.mode },
      { first: 100_000 },
    )
    .rows.filter((row) => row.parametersKey === head.parametersKey && row.scale !== null);

const textsOf = (store: Store, row: ProjectionRow): string[] =>
  store.tokens.ofProjection.page(row, {}, { first: candidatesJudged }).rows.map(({ text }) => text ?? '');

/** The grade of this judge's tournament among the scales of a reading. */
function gradeAmong(store: Store, runner: Runner, head: ProjectionRow) {
  const grader = findGrader(store, graderOf(scaleTournament, runner));
  if (!grader) return undefined;
  for (const projection of scalesOf(store, head)) {
    const grade = store.grades.find({ subject: { projection }, grader, parameters: {} });
    if (grade) return { projection, grade };
  }
  return undefined;
}

function chosenOf(store: Store, runner: Runner, head: ProjectionRow): ChosenScale {
  const found = gradeAmong(store, runner, head);
  if (!found) return { projection: null, invalid: null, scale: null, selected: [] };
  const { projection, grade } = found;
  const labels = grade.tokenLabels ?? [];
  return {
    projection,
    invalid: grade.invalid,
    scale: projection.scale,
    selected: textsOf(store, projection).filter((_, i) => labels[i] === selectedLabel),
  };
}

/** Readings at the scales that this model chose. @returns for a reading, the one to take in its place, and the tokens selected in that */
export function chosenByTournament(store: Store, runner: Runner) {
  const selected = new Map<string, string[]>();
  return {
    projection(head: ProjectionRow): ProjectionRow {
      const chosen = chosenOf(store, runner, head);
      if (!chosen.projection)
        throw new CodedError(
          'NOT_FOUND',
          `${runner.provider.model} has not chosen a scale for ${head.diffVector.key} (${head.variant}) yet; grade it by scale-tournament first`,
        );
      selected.set(chosen.projection.key, chosen.selected);
      return chosen.projection;
    },
    selected: (projection: ProjectionRow): string[] => selected.get(projection.key) ?? [],
  };
}
