import type { GradeRow, HypothesisRow, OrganismRow, Store } from '../db/index.ts';
import { gradeHypotheses, hypothesis as hypothesisGrader, type Runner } from '../graders/index.ts';
import { sha256 } from '../lib/sha256.ts';
import { truthOf } from '../runs/grade-relevance.ts';
import { graderOf } from '../runs/judge.ts';
import { offlineGraderIdentity, offlineGraderRationale, wordOverlap } from './offline-grade.ts';

/** Scores a hypothesis by the words it shares with the ground truth, and stores the grade. @throws CodedError NOT_FOUND */
export function gradeOffline(store: Store, organism: OrganismRow, hypothesis: HypothesisRow): GradeRow {
  const truth = truthOf(organism);
  const grader = store.graders.add({
    ...offlineGraderIdentity,
    ...{ promptDigest: null, provider: null, endpoint: null, model: null, parameters: {} },
  });
  const overlap = wordOverlap(truth, hypothesis.text);
  const [grade] = store.grades.save([
    {
      ...{ subject: { hypothesis }, grader, parameters: { truth: sha256(truth) } },
      ...{ scale: 'SHARE', label: null, value: overlap?.f1 ?? null },
      invalid: overlap ? null : 'no words to compare',
      rationale: offlineGraderRationale,
      tokenLabels: null,
      metrics: overlap ? { recall: overlap.recall, precision: overlap.precision } : {},
      exchanges: [],
    },
  ]);
  return grade as GradeRow;
}

/**
 * Has a language model score a hypothesis by the rubric of the organism's kind, beside a pair of texts that shows whether it can be talked into a score, and
 * stores the grade: the mean of its repeats. @throws CodedError NOT_FOUND, what Runner.ask throws
 */
export async function gradeByRubric(
  store: Store,
  organism: OrganismRow,
  hypothesis: HypothesisRow,
  runner: Runner,
  { repeats, signal }: { repeats?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<GradeRow> {
  const truth = truthOf(organism);
  const grader = store.graders.add(graderOf(hypothesisGrader, runner));
  const { grades, canary } = await gradeHypotheses(
    runner,
    [{ truth, kind: organism.kind, hypothesis: hypothesis.text }],
    { ...(repeats !== undefined && { repeats }), signal },
  );
  const [result] = grades;
  if (!result) throw new Error('a hypothesis was graded and has no grade');
  const { mean, scores, rubric, answers, removed } = result;
  const [first] = answers;
  const [grade] = store.grades.save([
    {
      subject: { hypothesis },
      grader,
      parameters: { truth: sha256(truth), rubric, repeats: scores.length },
      ...{ scale: 'SCORE', label: null, value: mean, tokenLabels: null },
      invalid: mean === null ? (first?.invalid ?? 'no score') : null,
      rationale: canary.flagged
        ? 'Not to be trusted: the judge was talked into a score of its canary.'
        : null,
      metrics: {
        ...Object.fromEntries(scores.map((score, repeat) => [`score${repeat}`, score])),
        canaryFlagged: Number(canary.flagged),
        removed,
      },
      exchanges: answers.map(({ exchange }) => exchange.key),
    },
  ]);
  return grade as GradeRow;
}
