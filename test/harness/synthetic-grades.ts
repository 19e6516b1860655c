import type {
  ExchangeRow,
  GraderRow,
  NewGrade,
  NewGrader,
  ProjectionRow,
  SteeringExperimentRow,
  Store,
} from '../../src/db/index.ts';
import { fakeDigest } from './synthetic-run.ts';

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

/** Asks a model. */
export const syntheticJudge = (name: string): NewGrader => ({
  name,
  version: 3,
  promptDigest: fakeDigest(`prompt of ${name}`),
  provider: 'openai-compatible',
  endpoint: `https://${name}.example/v1`,
  model: `model of ${name}`,
  parameters: { temperature: 0 },
});

/** A question of a judge and its reply. */
export const syntheticExchange = (judge: GraderRow, asked: string): ExchangeRow => ({
  key: fakeDigest(`${judge.key} ${asked}`),
  grader: judge.name,
  graderVersion: judge.version,
  promptDigest: judge.promptDigest ?? '',
  provider: judge.provider ?? '',
  endpoint: judge.endpoint ?? '',
  model: judge.model ?? '',
  answeredBy: judge.model ?? '',
  request: { messages: [{ role: 'user', content: asked }] },
  reply: { text: `VERDICT: COHERENT, ${asked}` },
  at: '2026-11-28T10:00:00.000Z',
  durationMs: 12.5,
  attempts: 2,
  cost: null,
});

const verdict = { scale: 'LABEL', label: 'COHERENT', value: null, tokenLabels: null, metrics: {} } as const;

/** Of what was made of a vector: its chosen Patchscope reading by the offline grader, its first steered text by a judge of this name. */
export function seedGrades(
  store: Store,
  experiment: SteeringExperimentRow,
  judgeName = 'coherence',
): GraderRow {
  const [projection] = store.projections.ofDiffVector.page(
    experiment.diffVector,
    { method: 'patchscope', chosen: true },
    { first: 1 },
  ).rows;
  const [sample] = store.samples.ofExperiment.page(experiment, { steered: true }, { first: 1 }).rows;
  if (!projection || !sample) throw new Error(`${experiment.key} has no results`);
  const offline = store.graders.add(syntheticGrader());
  const judge = store.graders.add(syntheticJudge(judgeName));
  const exchange = syntheticExchange(judge, `Is this coherent? ${judgeName}`);
  store.exchanges.put(exchange);
  store.grades.save([
    syntheticGrade(projection, offline),
    syntheticGrade(projection, judge, {
      ...verdict,
      subject: { sample },
      rationale: judgeName,
      exchanges: [exchange.key],
    }),
  ]);
  return judge;
}
