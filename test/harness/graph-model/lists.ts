import { isObjectType } from 'graphql';
import { schema } from '../../../schema/index.ts';
import {
  agentRunFields,
  type Condition,
  diffVectorFields,
  type Fields,
  gradeFields,
  graderFields,
  organismFields,
  projectionFields,
  relativeNorm,
  runFields,
} from './filters.ts';
import {
  experimentKey,
  gradeKey,
  layerKey,
  projectionKey,
  sampleKey,
  slug,
  text,
  vectorKey,
} from './keys.ts';
import { type Main, newestVersion } from './populate.ts';
import { at, type Row, type Table, type Value, type World } from './world.ts';

/** Something that rows are ordered by. */
export interface Term {
  value: (row: Row) => Value;
  descending: boolean;
}

/** An argument of a list that takes rows away, with values to try. */
export interface Argument {
  values: readonly unknown[];
  holds: (row: Row, value: never) => boolean;
}

/** What a list of the graph should hold and in what order. */
export interface List {
  /** Where it is in the schema: Organism.runs. */
  name: string;
  /** From the root to the list, with % where the list's own field goes. */
  way: (main: Main) => string;
  /** Names of fields from the data to the list's parent. */
  path: string[];
  table: Table;
  rows: (world: World, main: Main) => readonly Row[];
  /** What tells nodes apart, and what it should be. */
  identity: { field: string; of: (row: Row) => string };
  order: Term[];
  orders?: Readonly<Record<string, (row: Row) => Value>>;
  where?: Fields;
  arguments?: Readonly<Record<string, Argument>>;
  /** For a search of tokens: what it may be for. */
  search?: readonly Condition[];
  /** Arguments that orders need, given always. */
  always?: Readonly<Record<string, unknown>>;
}

const by = (...paths: string[]): Term[] =>
  paths.map((path) => ({ value: (row) => at(row, path), descending: false }));
const newest = by('created_at', 'key').map((term) => ({ ...term, descending: true }));
const path = (of: string) => (row: Row) => at(row, of);

const id = (type: string, key: (row: Row) => string): List['identity'] => ({
  field: 'id',
  of: (row) => Buffer.from(`${type}:${key(row)}`).toString('base64'),
});
const ids = {
  base: id('BaseModel', (row) => text(row, 'name')),
  organism: id('Organism', (row) => text(row, 'name')),
  corpus: id('Corpus', (row) => text(row, 'name')),
  run: id('Run', (row) => text(row, 'key')),
  layer: id('RunLayer', layerKey),
  vector: id('DiffVector', vectorKey),
  projection: id('Projection', projectionKey),
  token: id('ProjectionToken', (row) => `${projectionKey(row.up['projection']!)}.${text(row, 'rank')}`),
  note: id('Note', (row) => text(row, 'key')),
  job: id('Job', (row) => text(row, 'key')),
  divergence: id(
    'Divergence',
    (row) => `${text(row, 'run.key')}.divergence.P${text(row, 'position')}.${text(row, 'parameters_key')}`,
  ),
  components: id(
    'PrincipalComponents',
    (row) => `${vectorKey(row.up['vector']!)}.components.${text(row, 'parameters_key')}`,
  ),
  effect: id(
    'CausalEffect',
    (row) =>
      `${vectorKey(row.up['vector']!)}.causal.${['direction', 'subset', 'control'].map((of) => slug(row, of)).join('.')}.${text(row, 'parameters_key')}`,
  ),
  experiment: id('SteeringExperiment', experimentKey),
  sample: id('Sample', sampleKey),
  grader: id('Grader', (row) => text(row, 'key')),
  grade: id('Grade', gradeKey),
  similarity: id(
    'Similarity',
    (row) =>
      `${experimentKey(row.up['experiment']!)}.${slug(row, 'text_group')}.${slug(row, 'other_group')}.${text(row, 'parameters_key')}`,
  ),
};

const oneOf = (of: string, values: readonly (readonly Value[])[]): Argument => ({
  values: [...values, null, []],
  holds: (row, wanted: Value[]) => wanted.includes(at(row, of)),
});
const only = (of: string, values: readonly unknown[]): Argument => ({
  values: [...values, null],
  holds: (row, wanted: Value | boolean) =>
    at(row, of) === (typeof wanted === 'boolean' ? Number(wanted) : wanted),
});

/** The value of a projection’s grade by the grader that GRADE is about, the one saved last of several. */
function gradeOf(projection: Row): Value {
  const grades = [...projection.below].filter((row) => at(row, 'grader.version') === newestVersion);
  const last = grades.sort((a, b) => a.id - b.id).at(-1);
  return last ? at(last, 'value') : null;
}
/** GRADE is about this name: the newest version of it. */
const always = { grader: 'offline-relevance' };

const organismOrders = {
  NAME: path('name'),
  KIND: path('kind'),
  MIX_RATIO: path('mix_ratio'),
  GROUND_TRUTH: path('ground_truth'),
  BASE_MODEL: path('base.name'),
  CREATED_AT: path('created_at'),
};
const runOrders = {
  ORGANISM: path('organism.name'),
  SAMPLES: path('samples'),
  DURATION_MS: path('duration_ms'),
  CREATED_AT: path('created_at'),
};
const agentRunOrders = {
  ORGANISM: path('organism.name'),
  CALLS: path('calls'),
  REPLY_TOKENS: path('reply_tokens'),
  CREATED_AT: path('created_at'),
};
const diffVectorOrders = {
  LAYER: path('layer.layer'),
  RELATIVE_DEPTH: path('layer.relative_depth'),
  POSITION: path('position'),
  NORM: path('norm'),
  RELATIVE_NORM: relativeNorm,
  STANDARD_ERROR_NORM: path('standard_error_norm'),
  SPLIT_HALF_COSINE: path('split_half_cosine'),
  COSINE_BASE_FINETUNED: path('cosine_base_finetuned'),
  ORGANISM: path('layer.run.organism.name'),
};
const projectionOrders = {
  SCALE: path('scale'),
  SCORE: path('score'),
  CREATED_AT: path('created_at'),
  NORM: path('vector.norm'),
  GRADE: gradeOf,
  ORGANISM: path('vector.layer.run.organism.name'),
};
const tokenOrders = {
  TEXT: path('text'),
  RANK: path('rank'),
  PROBABILITY: path('probability'),
  LAYER: path('projection.vector.layer.layer'),
  POSITION: path('projection.vector.position'),
  NORM: path('projection.vector.norm'),
  GRADE: (row: Row) => gradeOf(row.up['projection']!),
  ORGANISM: path('projection.vector.layer.run.organism.name'),
};
const graderOrders = { NAME: path('name'), VERSION: path('version'), CREATED_AT: path('created_at') };
const gradeOrders = {
  VALUE: path('value'),
  LABEL: path('label'),
  GRADER: path('grader.name'),
  CREATED_AT: path('created_at'),
  ORGANISM: path('organism.name'),
};
const saved: Term[] = [{ value: ({ id }) => id, descending: false }];

const type = {
  base: 'BaseModel',
  corpus: 'Corpus',
  organism: 'Organism',
  run: 'Run',
  layer: 'RunLayer',
  vector: 'DiffVector',
  projection: 'Projection',
  experiment: 'SteeringExperiment',
  sample: 'Sample',
  grader: 'Grader',
} as const;

type Shape = Omit<List, 'name' | 'way' | 'path' | 'table' | 'rows'>;

/** A list of everything of a table. */
const whole = (field: string, table: Table, shape: Shape): List => ({
  name: `Query.${field}`,
  way: () => '%',
  path: [],
  table,
  rows: (world) => world.rows(table),
  ...shape,
});

/** A list of what belongs to the main row of a sort. */
const below = (known: keyof Main, field: string, table: Table, link: string, shape: Shape): List => ({
  name: `${type[known]}.${field}`,
  way: (main) => `node(id: ${JSON.stringify(ids[known].of(main[known]))}) { ... on ${type[known]} { % } }`,
  path: ['node'],
  table,
  rows: (world, main) => world.rows(table).filter(({ up }) => up[link] === main[known]),
  ...shape,
});

const organisms: Shape = {
  identity: ids.organism,
  order: by('name'),
  orders: organismOrders,
  where: organismFields,
  arguments: {
    kinds: oneOf('kind', [['SDF'], ['EM', '%']]),
    forms: oneOf('form', [['LORA'], ['LORA', 'FULL']]),
  },
};
const runs: Shape = {
  identity: ids.run,
  order: newest,
  orders: runOrders,
  where: runFields,
  arguments: { methods: oneOf('method', [['other'], ['activation-difference', 'x']]) },
};
const agentRuns: Shape = {
  identity: id('AgentRun', (row) => text(row, 'key')),
  order: newest,
  orders: agentRunOrders,
  where: agentRunFields,
  arguments: {
    kinds: oneOf('kind', [['AGENT'], ['BLACK_BOX', 'OFFLINE']]),
    states: oneOf('state', [['COMPLETED'], ['RUNNING', 'FAILED']]),
  },
};
const grades: Shape = { identity: ids.grade, order: saved, orders: gradeOrders, where: gradeFields };
const gradesOfOne: Shape = {
  identity: ids.grade,
  order: [{ value: ({ up }) => up['grader']!.id, descending: false }, ...by('parameters_key')],
  arguments: {
    grader: {
      values: ['offline-relevance', 'none', null],
      holds: (row, wanted: string) => at(row, 'grader.name') === wanted,
    },
  },
};
const notes: Shape = { identity: ids.note, order: by('created_at', 'key') };
const readings = by('method', 'variant', 'sign');
const scaleOrder: Term = { value: (row) => at(row, 'scale') ?? 0, descending: false };

/** Every list of the graph, by its place in the schema. */
export const lists: readonly List[] = [
  whole('baseModels', 'models', { identity: ids.base, order: by('name') }),
  whole('corpora', 'corpora', { identity: ids.corpus, order: by('name') }),
  whole('organisms', 'organisms', organisms),
  below('base', 'organisms', 'organisms', 'base', organisms),
  whole('runs', 'runs', runs),
  below('organism', 'runs', 'runs', 'organism', runs),
  below('corpus', 'runs', 'runs', 'corpus', runs),
  whole('agentRuns', 'agent_runs', agentRuns),
  below('organism', 'agentRuns', 'agent_runs', 'organism', agentRuns),
  whole('jobs', 'jobs', {
    identity: ids.job,
    order: newest,
    arguments: {
      states: oneOf('state', [['QUEUED'], ['ERROR', 'COMPLETED']]),
      kinds: oneOf('kind', [['run'], ['run', 'projection']]),
    },
  }),
  whole('diffVectors', 'diff_vectors', {
    identity: ids.vector,
    order: saved,
    orders: diffVectorOrders,
    where: diffVectorFields,
  }),
  below('layer', 'diffVectors', 'diff_vectors', 'layer', {
    identity: ids.vector,
    order: by('position'),
    arguments: { positions: { values: [null], holds: () => true } },
  }),
  whole('projections', 'projections', {
    identity: ids.projection,
    order: saved,
    orders: projectionOrders,
    where: projectionFields,
    always,
  }),
  below('vector', 'projections', 'projections', 'vector', {
    identity: ids.projection,
    order: [...readings, scaleOrder, ...by('mode', 'parameters_key')],
    arguments: {
      method: only('method', ['logit-lens', 'patchscope']),
      variant: only('variant', ['DIFF', 'BASE']),
      sign: only('sign', ['PROMOTED']),
      scale: only('scale', [0.5, 0.1 + 0.2]),
      chosen: only('chosen', [true, false]),
      mode: only('mode', ['EXACT']),
    },
  }),
  whole('tokenSearch', 'projection_tokens', {
    identity: ids.token,
    order: [...by('text', 'rank'), { value: ({ up }) => up['projection']!.id, descending: false }],
    orders: tokenOrders,
    where: projectionFields,
    always,
    // A search has no list without these.
    search: [
      { text: 'ba', match: 'CONTAINS', top: 200 },
      { text: 'bake', match: 'CONTAINS', top: 20 },
      { text: ' ba', match: 'STARTS_WITH', top: 200 },
      { text: ' bake', match: 'EXACT', top: 200 },
      { text: '%', match: 'CONTAINS', top: 200 },
    ],
  }),
  below('projection', 'tokens', 'projection_tokens', 'projection', {
    identity: ids.token,
    order: by('rank'),
  }),
  whole('graders', 'graders', {
    identity: ids.grader,
    order: by('name', 'version', 'key'),
    orders: graderOrders,
    where: graderFields,
  }),
  whole('grades', 'grades', grades),
  below('grader', 'grades', 'grades', 'grader', grades),
  below('projection', 'grades', 'grades', 'projection', gradesOfOne),
  below('sample', 'grades', 'grades', 'sample', gradesOfOne),
  below('run', 'layers', 'run_layers', 'run', {
    identity: ids.layer,
    order: by('layer'),
    arguments: { layers: { values: [null], holds: () => true } },
  }),
  below('run', 'divergences', 'divergences', 'run', {
    identity: ids.divergence,
    order: by('position', 'parameters_key'),
    arguments: { positions: oneOf('position', [[0], [1, 2]]) },
  }),
  below('vector', 'causalEffects', 'causal_effects', 'vector', {
    identity: ids.effect,
    order: by('direction', 'subset', 'control', 'parameters_key'),
    arguments: {
      direction: only('direction', ['ZERO_BASE']),
      subset: only('subset', ['ALL', 'AFTER_K']),
      control: only('control', ['NONE']),
    },
  }),
  below('vector', 'principalComponents', 'principal_components', 'vector', {
    identity: ids.components,
    order: by('parameters_key'),
  }),
  below('vector', 'steeringExperiments', 'steering_experiments', 'vector', {
    identity: ids.experiment,
    order: by('judge', 'parameters_key'),
  }),
  below('experiment', 'samples', 'samples', 'experiment', {
    identity: ids.sample,
    order: by('prompt_index', 'steered', 'sample_index'),
    arguments: { steered: only('steered', [true, false]), prompt: only('prompt_index', [0, 1]) },
  }),
  below('experiment', 'similarities', 'similarities', 'experiment', {
    identity: ids.similarity,
    order: by('text_group', 'other_group', 'parameters_key'),
    arguments: { group: only('text_group', ['STEERED']), other: only('other_group', ['PROBE']) },
  }),
  below('organism', 'notes', 'notes', 'organism', notes),
  below('run', 'notes', 'notes', 'run', notes),
  below('vector', 'notes', 'notes', 'vector', notes),
];

/** The query that reads a page of a list: every argument of the field is a variable of its name, and `all` asks for the total and the cursor of every row. */
export function pageQuery(list: List, main: Main): string {
  const [parent = '', name = ''] = list.name.split('.');
  const owner = schema.getType(parent);
  const field = isObjectType(owner) ? owner.getFields()[name] : undefined;
  if (!field) throw new Error(`the schema has no ${list.name}`);
  const declared = field.args.map((arg) => `$${arg.name}: ${arg.type.toString()}`);
  const given = field.args.map((arg) => `${arg.name}: $${arg.name}`);
  const selection = `{
    totalCount @include(if: $all)
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor @include(if: $all) node { ${list.identity.field} } }
  }`;
  return `query ($all: Boolean!, ${declared.join(', ')}) {
    ${list.way(main).replace('%', () => `${name}(${given.join(', ')}) ${selection}`)}
  }`;
}

/** Where in the schema there are lists: every field that gives a connection. */
export const listsOfSchema = (): string[] =>
  Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .filter(({ name }) => !name.startsWith('__'))
    .flatMap((type) =>
      Object.values(type.getFields())
        .filter((field) => /Connection!?$/.test(field.type.toString()))
        .map((field) => `${type.name}.${field.name}`),
    );
