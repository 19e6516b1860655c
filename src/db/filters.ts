import { type Asking, type FilterFields, matches, rowsLookedAt, type Where } from './filter.ts';
import { neededJoins } from './joins.ts';
import type { Sort } from './listing.ts';
import type { StoreSizes } from './store-sizes.ts';
import { textMatches, type TokenMatch } from './token-texts.ts';
import { visible, type Viewer } from './visible.ts';

// What lists across organisms can be asked for, as SQL over their tables under their own names, and how these are joined. The
// organism of a row is seen where the row is: lists say so in their own condition. A base or a corpus may be hidden all the same;
// its columns are null then, so that neither a condition nor an order tells what is in them.

const joined = (viewer: Viewer, table: 'models' | 'corpora', column: string): string =>
  viewer.all
    ? `join ${table} on ${table}.id = ${column}`
    : `left join ${table} on ${table}.id = ${column} and ${visible(viewer, table)}`;

export const organismJoins = (viewer: Viewer) => joined(viewer, 'models', 'organisms.base_model_id');
export const runJoins = (viewer: Viewer) =>
  `join organisms on organisms.id = runs.organism_id ${organismJoins(viewer)} ${joined(viewer, 'corpora', 'runs.corpus_id')}`;
export const diffVectorJoins = (viewer: Viewer) =>
  `join run_layers on run_layers.id = diff_vectors.layer_id join runs on runs.id = run_layers.run_id ${runJoins(viewer)}`;
export const projectionJoins = (viewer: Viewer) =>
  `join diff_vectors on diff_vectors.id = projections.vector_id ${diffVectorJoins(viewer)}`;
export const agentRunJoins = (viewer: Viewer) =>
  `join organisms on organisms.id = agent_runs.organism_id ${organismJoins(viewer)}`;
export const gradeJoins = (viewer: Viewer) =>
  `join graders on graders.id = grades.grader_id join organisms on organisms.id = grades.organism_id ${organismJoins(viewer)}`;
export const tokenJoins = (viewer: Viewer) =>
  `join projections on projections.id = projection_tokens.projection_id ${projectionJoins(viewer)}`;

/** Tokens among the strongest of readings. */
export interface TopTokens {
  text: string;
  match: TokenMatch;
  /** How many from the strongest. */
  top: number;
  method?: string | null;
  variant?: string | null;
  sign?: string | null;
  chosen?: boolean | null;
}

/** Ways up from a token (t): a table with each name that a column of it needs, the nearest last. */
const aboveTokens = [
  ['r', 'join runs r on r.id = l.run_id'],
  ['l', 'join run_layers l on l.id = v.layer_id'],
  ['v', 'join diff_vectors v on v.id = p.vector_id'],
  ['p', 'join projections p on p.id = t.projection_id'],
] as const;

/** Joins from a token up to this table, none for the token itself. */
const upTo = (table: string): string => {
  const top = aboveTokens.findIndex(([name]) => name === table);
  return top < 0
    ? ''
    : aboveTokens
        .slice(top)
        .map(([, join]) => join)
        .reverse()
        .join(' ');
};

/**
 * That one of its tokens is such: `wanted` is the column that has its id, of the lowest table from r (run) to t (token) that has it.
 * A rare text is found by its index, all at once; of a common one nearly every row has some, so each is asked for its first.
 */
const withTopTokens = (id: string, wanted: `${'r' | 'l' | 'v' | 'p' | 't'}.${string}`) => ({
  condition(asked: Where, { bind, sizes }: Asking): string {
    const { text, match, top, method, variant, sign, chosen } = asked as unknown as TopTokens;
    const rest = Object.entries({ method, variant, sign, chosen }).flatMap(([column, value]) =>
      value === null || value === undefined
        ? []
        : [` and p.${column} = ${bind(typeof value === 'boolean' ? Number(value) : value)}`],
    );
    const highest = wanted.startsWith('t') && rest.length > 0 ? 'p' : wanted.charAt(0);
    const common = sizes.isCommon(text, match);
    const tokens = `from projection_tokens t ${upTo(highest)}
      where ${textMatches('t.text', text, match, { bind, common })} and t.rank < ${bind(top)}${rest.join('')}`;
    return common
      ? `exists (select 1 ${tokens} and ${wanted} = ${id})`
      : `${id} in (select ${wanted} ${tokens})`;
  },
  looksAt: tokensLookedAt,
});

/** Tokens that a search for one goes through: as often as the text is there, or all of them where texts are searched within. */
function tokensLookedAt(asked: Where, sizes: StoreSizes): number {
  const { text, match } = asked as unknown as TopTokens;
  return match === 'EXACT' ? sizes.tokensWithText(text) : sizes.tokens();
}

/** That at least one diff vector matches. Its tables have names of their own in there, so conditions may lie in each other. */
const withDiffVectors = (id: string, wanted: string) => ({
  condition: ({ some }: Where, asking: Asking): string =>
    `${id} in (select ${wanted} from diff_vectors ${diffVectorJoins(asking.viewer)}
      where ${matches(some as Where, diffVectorFields, asking)})`,
  looksAt: ({ some }: Where, sizes: StoreSizes): number =>
    sizes.diffVectors() + rowsLookedAt(some as Where, diffVectorFields, sizes),
});

export const organismFields = {
  name: 'organisms.name',
  kind: 'organisms.kind',
  form: 'organisms.form',
  description: 'organisms.description',
  groundTruth: 'organisms.ground_truth',
  mixRatio: 'organisms.mix_ratio',
  digest: 'organisms.digest',
  createdAt: 'organisms.created_at',
  baseModel: 'models.name',
  diffVectors: withDiffVectors('organisms.id', 'runs.organism_id'),
  topTokens: withTopTokens('organisms.id', 'r.organism_id'),
  grades: withGrades('organisms'),
} satisfies FilterFields;

export const runFields = {
  key: 'runs.key',
  digest: 'runs.digest',
  method: 'runs.method',
  mode: "coalesce(json_extract(runs.parameters, '$.mode'), 'EXACT')",
  positions: 'runs.positions',
  samples: 'runs.samples',
  computeDtype: 'runs.compute_dtype',
  engineVersion: 'runs.engine_version',
  device: 'runs.device',
  durationMs: 'runs.duration_ms',
  createdAt: 'runs.created_at',
  corpus: 'corpora.name',
  organism: { fields: organismFields },
  diffVectors: withDiffVectors('runs.id', 'runs.id'),
  topTokens: withTopTokens('runs.id', 'l.run_id'),
  grades: withGrades('runs'),
} satisfies FilterFields;

const relativeNorm = '(diff_vectors.norm / nullif(run_layers.base_norm, 0.0))';

export const diffVectorFields = {
  layer: 'run_layers.layer',
  relativeDepth: 'run_layers.relative_depth',
  position: 'diff_vectors.position',
  samples: 'diff_vectors.samples',
  norm: 'diff_vectors.norm',
  relativeNorm,
  baseMeanNorm: 'diff_vectors.base_mean_norm',
  finetunedMeanNorm: 'diff_vectors.finetuned_mean_norm',
  standardErrorNorm: 'diff_vectors.standard_error_norm',
  splitHalfCosine: 'diff_vectors.split_half_cosine',
  cosineBaseFinetuned: 'diff_vectors.cosine_base_finetuned',
  aboveNoise: 'diff_vectors.above_noise',
  run: { fields: runFields },
  topTokens: withTopTokens('diff_vectors.id', 'p.vector_id'),
  grades: withGrades('diff_vectors'),
} satisfies FilterFields;

export const projectionFields = {
  method: 'projections.method',
  methodVersion: 'projections.method_version',
  variant: 'projections.variant',
  sign: 'projections.sign',
  scale: 'projections.scale',
  chosen: 'projections.chosen',
  score: 'projections.score',
  mode: 'projections.mode',
  createdAt: 'projections.created_at',
  diffVector: { fields: diffVectorFields },
  topTokens: withTopTokens('projections.id', 't.projection_id'),
  grades: withGrades('projections'),
} satisfies FilterFields;

export const tokenFields = {
  topTokens: {
    condition(asked: Where, { bind, sizes }: Asking): string {
      const { text, match, top } = asked as unknown as TopTokens;
      const common = sizes.isCommon(text, match);
      return `${textMatches('projection_tokens.text', text, match, { bind, common })} and projection_tokens.rank < ${bind(top)}`;
    },
    looksAt: tokensLookedAt,
  },
  projection: { fields: projectionFields },
} satisfies FilterFields;

export const graderFields = {
  key: 'graders.key',
  name: 'graders.name',
  version: 'graders.version',
  promptDigest: 'graders.prompt_digest',
  provider: 'graders.provider',
  model: 'graders.model',
  createdAt: 'graders.created_at',
} satisfies FilterFields;

export const gradeFields = {
  scale: 'grades.scale',
  label: 'grades.label',
  value: 'grades.value',
  invalid: 'grades.invalid',
  createdAt: 'grades.created_at',
  grader: { fields: graderFields },
  organism: above('organisms', 'grades.organism_id', organismJoins, () => organismFields),
  projection: above('projections', 'grades.projection_id', projectionJoins, () => projectionFields),
} satisfies FilterFields;

export const agentRunFields = {
  key: 'agent_runs.key',
  kind: 'agent_runs.kind',
  pair: 'agent_runs.pair',
  version: 'agent_runs.version',
  provider: 'agent_runs.provider',
  model: 'agent_runs.model',
  state: 'agent_runs.state',
  errorCode: 'agent_runs.error_code',
  conclusive: 'agent_runs.conclusive',
  calls: 'agent_runs.calls',
  interactions: 'agent_runs.interactions',
  createdAt: 'agent_runs.created_at',
  organism: { fields: organismFields },
} satisfies FilterFields;

/** Of the row of another table that this one belongs to; what belongs to none does not match. */
function above(table: string, column: string, joins: (viewer: Viewer) => string, fields: () => FilterFields) {
  return {
    condition(asked: Where, asking: Asking): string {
      const sql = `${table}.id = ${column} and (${matches(asked, fields(), asking)})`;
      return `exists (select 1 from ${table} ${neededJoins(joins(asking.viewer), sql)} where ${sql})`;
    },
    looksAt: (asked: Where, sizes: StoreSizes): number => rowsLookedAt(asked, fields(), sizes),
  };
}

// From grades, each with its grader, up to what they are of, projections and steered texts, and to what that belongs to. By way of
// what a grader said, which is far less than all that it could have been said of.
const graded = 'from grades join graders on graders.id = grades.grader_id';
const readings = `${graded} join projections p on p.id = grades.projection_id`;
const writings = `${graded} join samples s on s.id = grades.sample_id join steering_experiments e on e.id = s.experiment_id`;
const runOf = (vector: string) =>
  `join diff_vectors v on v.id = ${vector} join run_layers l on l.id = v.layer_id`;
const waysFromGrades = {
  organisms: [`select grades.organism_id ${graded}`],
  runs: [
    `select l.run_id ${readings} ${runOf('p.vector_id')}`,
    `select l.run_id ${writings} ${runOf('e.vector_id')}`,
  ],
  diff_vectors: [`select p.vector_id ${readings}`, `select e.vector_id ${writings}`],
  projections: [`select p.id ${readings}`],
} as const;

/** That at least one grade of this matches. */
function withGrades(table: keyof typeof waysFromGrades) {
  return {
    condition({ some }: Where, asking: Asking): string {
      const such = matches(some as Where, gradeFields, asking);
      const found = waysFromGrades[table].map((way) => `${way} where ${such}`);
      return `${table}.id in (${found.join(' union all ')})`;
    },
    looksAt: ({ some }: Where, sizes: StoreSizes): number =>
      sizes.rows('grades') + rowsLookedAt(some as Where, gradeFields, sizes),
  };
}

const text = (sql: string): Sort => ({ sql, type: 'string', nullable: false });
/** A cursor carries the values of its row: of long texts the beginning decides. */
const beginning = (sql: string): Sort => text(`substr(${sql}, 1, ${sortedCharacters})`);
const integer = (sql: string): Sort => ({ sql, type: 'integer', nullable: false });
const real = (sql: string, nullable = true): Sort => ({ sql, type: 'real', nullable });

/** Of a long text, those by which lists are ordered. */
export const sortedCharacters = 100;

export const organismSorts = {
  NAME: text('organisms.name'),
  KIND: text('organisms.kind'),
  MIX_RATIO: real('organisms.mix_ratio'),
  GROUND_TRUTH: { ...beginning('organisms.ground_truth'), nullable: true },
  BASE_MODEL: { ...text('models.name'), nullable: true },
  CREATED_AT: text('organisms.created_at'),
} satisfies Record<string, Sort>;

export const runSorts = {
  ORGANISM: text('organisms.name'),
  SAMPLES: integer('runs.samples'),
  DURATION_MS: real('runs.duration_ms', false),
  CREATED_AT: text('runs.created_at'),
} satisfies Record<string, Sort>;

export const diffVectorSorts = {
  LAYER: integer('run_layers.layer'),
  RELATIVE_DEPTH: real('run_layers.relative_depth', false),
  POSITION: integer('diff_vectors.position'),
  NORM: real('diff_vectors.norm'),
  RELATIVE_NORM: real(relativeNorm),
  STANDARD_ERROR_NORM: real('diff_vectors.standard_error_norm'),
  SPLIT_HALF_COSINE: real('diff_vectors.split_half_cosine'),
  COSINE_BASE_FINETUNED: real('diff_vectors.cosine_base_finetuned'),
  ORGANISM: text('organisms.name'),
} satisfies Record<string, Sort>;

/** By the grader whose id the list binds; of several grades the one that was asked for last. */
const gradeOfProjection = real(
  `(select grades.value from grades where grades.projection_id = projections.id and grades.grader_id = @gradedBy
    order by +grades.asked desc, +grades.id desc limit 1)`, // by the index over projections, not through all of the grader’s in their order
);

export const projectionSorts = {
  SCALE: real('projections.scale'),
  SCORE: real('projections.score'),
  CREATED_AT: text('projections.created_at'),
  NORM: diffVectorSorts.NORM,
  GRADE: gradeOfProjection,
  ORGANISM: diffVectorSorts.ORGANISM,
} satisfies Record<string, Sort>;

export const tokenSorts = {
  TEXT: text('projection_tokens.text'),
  RANK: integer('projection_tokens.rank'),
  PROBABILITY: real('projection_tokens.probability'),
  LAYER: diffVectorSorts.LAYER,
  POSITION: diffVectorSorts.POSITION,
  NORM: diffVectorSorts.NORM,
  GRADE: gradeOfProjection,
  ORGANISM: diffVectorSorts.ORGANISM,
} satisfies Record<string, Sort>;

export const graderSorts = {
  NAME: text('graders.name'),
  VERSION: integer('graders.version'),
  CREATED_AT: text('graders.created_at'),
} satisfies Record<string, Sort>;

export const agentRunSorts = {
  ORGANISM: text('organisms.name'),
  CALLS: integer('agent_runs.calls'),
  REPLY_TOKENS: integer('agent_runs.reply_tokens'),
  CREATED_AT: text('agent_runs.created_at'),
} satisfies Record<string, Sort>;

export const gradeSorts = {
  VALUE: real('grades.value'),
  LABEL: { ...beginning('grades.label'), nullable: true },
  GRADER: text('graders.name'),
  CREATED_AT: text('grades.created_at'),
  ORGANISM: diffVectorSorts.ORGANISM,
} satisfies Record<string, Sort>;
