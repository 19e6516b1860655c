import type { GraderRow, NewGrade, NewGrader, ProjectionRow } from '../../src/db/index.ts';

export const syntheticGrader = (change: Partial<NewGrader> = {}): NewGrader => ({
  name: 'offline-relevance',
  version: 1,
  promptDigest: null,
  provider: null,
  endpoint: null,
  model: null,
  parameters: { leastZ: 3.29 },
  ...change,
});

/** Of a reading with two tokens. */
export const syntheticGrade = (
  projection: ProjectionRow,
  grader: GraderRow,
  change: Partial<NewGrade> = {},
): NewGrade => ({
  subject: { projection },
  grader,
  parameters: { candidates: 20 },
  scale: 'SHARE',
  label: null,
  value: 0.5,
  invalid: null,
  rationale: null,
  tokenLabels: ['RELEVANT', null],
  metrics: { weighted: 0.75, filtered: null },
  exchanges: [],
  ...change,
});
