import type { OrganismRow } from '../db/index.ts';
import { gradeHypotheses, type HypothesisBatch, type Runner } from '../graders/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { truthOf } from './ground-truth.ts';
import { type Asking, askingOf } from './judge.ts';

export interface JudgedHypotheses extends HypothesisBatch {
  asking: Asking;
}

/**
 * Has a language model score what somebody believes an organism was trained on, by the rubric of its kind (method.md §10.5).
 * @throws CodedError INVALID_ARGUMENT for a blank hypothesis, NOT_FOUND for an organism without a ground truth; what Runner.ask throws
 */
export async function judgeHypotheses(
  organism: OrganismRow,
  hypotheses: readonly string[],
  runner: Runner,
  options: { repeats?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<JudgedHypotheses> {
  if (hypotheses.some((text) => text.trim() === ''))
    throw new CodedError('INVALID_ARGUMENT', 'a hypothesis is blank; some words are expected');
  const [truth, { kind }] = [truthOf(organism), organism];
  const { repeats, signal } = options;
  const batch = await gradeHypotheses(
    runner,
    hypotheses.map((hypothesis) => ({ truth, kind, hypothesis })),
    { ...(repeats !== undefined && { repeats }), signal },
  );
  return { ...batch, asking: askingOf(batch.grades.flatMap(({ answers }) => answers)) };
}
