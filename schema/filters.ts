import {
  agentRunFields,
  agentRunSorts,
  diffVectorFields,
  diffVectorSorts,
  gradeFields,
  graderFields,
  graderSorts,
  gradeSorts,
  type Order,
  organismFields,
  organismSorts,
  projectionFields,
  projectionSorts,
  runFields,
  runSorts,
  sortedCharacters,
  tokenMatches,
  tokenSorts,
  type TokenMatch,
  type Where,
} from '../src/db/index.ts';
import { builder } from './builder.ts';
import {
  AgentKindEnum,
  AgentPairEnum,
  AgentStateEnum,
  described,
  GradeScaleEnum,
  ModeEnum,
  OrganismFormEnum,
  ProjectionSignEnum,
  ProjectionVariantEnum,
} from './enums.ts';
import {
  BooleanFilter,
  DateTimeFilter,
  enumFilter,
  filterInput,
  FloatFilter,
  type InputFields,
  IntFilter,
  orderInput,
  StringFilter,
} from './filter.ts';
import { badUserInput } from './errors.ts';
import { maxFilterText, maxPageSize } from './limits.ts';

export const TokenMatchEnum = described<TokenMatch>('TokenMatch', 'How the text of a token is compared.', {
  EXACT: 'The text is this one, with its spaces: " bake" is not "bake".',
  STARTS_WITH: 'The text starts with this one.',
  CONTAINS: 'The text has this one in it.',
});

const [exact] = tokenMatches;

/** What a text that is looked for may be. */
export const soughtText = `1 to ${maxFilterText} characters, else an error; spaces and case count`;

export const soughtTop = `How many tokens of each projection are looked at, from the strongest: 1 to ${maxPageSize}, else an error.`;

const TopTokensFilter = builder.inputRef<Where>('TopTokensFilter').implement({
  description:
    'That a token is among the strongest of this projection, or of at least one projection of this.',
  fields: (t: InputFields) => ({
    text: t.string({ required: true, description: `The token’s text, ${soughtText}.` }),
    match: t.field({
      type: TokenMatchEnum,
      required: true,
      defaultValue: exact,
      description: 'How the text is compared.',
    }),
    top: t.int({ required: true, defaultValue: 20, description: soughtTop }),
    method: t.string({ description: 'Only in projections of this method. Null or absent: all.' }),
    variant: t.field({
      type: ProjectionVariantEnum,
      description: 'Only in projections of this variant. Null or absent: all.',
    }),
    sign: t.field({
      type: ProjectionSignEnum,
      description: 'Only in projections of this sign. Null or absent: both.',
    }),
    chosen: t.boolean({
      description: 'Only at the chosen scale (true), or only at others (false). Null or absent: all.',
    }),
  }),
} as never) as object;

/** A filter that is made below, since each can hold the other. */
const DiffVectorFilterRef = builder.inputRef<Where>('DiffVectorFilter');

const DiffVectorListFilter = builder.inputRef<Where>('DiffVectorListFilter').implement({
  description: 'Conditions on the diff vectors of this.',
  fields: (t: InputFields) => ({
    some: t.field({
      type: DiffVectorFilterRef,
      required: true,
      description: 'At least one matches. It counts as a level of and, or and not.',
    }),
  }),
} as never) as object;

/** Likewise. */
const GradeFilterRef = builder.inputRef<Where>('GradeFilter');

const GradeListFilter = builder.inputRef<Where>('GradeListFilter').implement({
  description: 'Conditions on the grades of this.',
  fields: (t: InputFields) => ({
    some: t.field({
      type: GradeFilterRef,
      required: true,
      description: 'At least one matches. It counts as a level of and, or and not.',
    }),
  }),
} as never) as object;

const OrganismFormFilter = enumFilter('OrganismForm', OrganismFormEnum);
const ModeFilter = enumFilter('Mode', ModeEnum);
const VariantFilter = enumFilter('ProjectionVariant', ProjectionVariantEnum);
const ScaleFilter = enumFilter('GradeScale', GradeScaleEnum);
const AgentKindFilter = enumFilter('AgentKind', AgentKindEnum);
const AgentPairFilter = enumFilter('AgentPair', AgentPairEnum);
const AgentStateFilter = enumFilter('AgentState', AgentStateEnum);
const SignFilter = enumFilter('ProjectionSign', ProjectionSignEnum);

export const OrganismFilter = filterInput(
  builder.inputRef('OrganismFilter'),
  'Which organisms.',
  organismFields,
  {
    name: [StringFilter, 'Its name.'],
    kind: [StringFilter, 'What sort of finetune, such as SDF.'],
    form: [OrganismFormFilter, 'How its weights are kept.'],
    description: [StringFilter, 'The finetune in a few words.'],
    groundTruth: [StringFilter, 'What it was trained on; null when not known.'],
    mixRatio: [
      FloatFilter,
      'Unrelated documents mixed in per document of the finetune; null when not known.',
    ],
    digest: [StringFilter, 'SHA-256 over the adapter or checkpoint, in hex.'],
    createdAt: [DateTimeFilter, 'When it was registered.'],
    baseModel: [StringFilter, 'Name of its base model.'],
    diffVectors: [DiffVectorListFilter, 'Its diff vectors, of all its runs.'],
    topTokens: [TopTokensFilter, 'A token that one of its vectors was read as.'],
    grades: [GradeListFilter, 'What graders said of its projections and steered texts.'],
  },
);

export const RunFilter = filterInput(builder.inputRef('RunFilter'), 'Which runs.', runFields, {
  key: [StringFilter, 'Its key, 20 hex digits.'],
  digest: [StringFilter, 'SHA-256 over its results, in hex.'],
  method: [StringFilter, 'How the models were compared.'],
  mode: [ModeFilter, 'Whose rounding points the means follow.'],
  positions: [IntFilter, 'Number of token positions measured.'],
  samples: [IntFilter, 'Number of texts used.'],
  computeDtype: [StringFilter, 'Type of the forward pass: float32 or bfloat16.'],
  engineVersion: [StringFilter, 'Version of the engine that measured it.'],
  device: [StringFilter, 'What computed it.'],
  durationMs: [FloatFilter, 'How long the measurement took, in milliseconds.'],
  createdAt: [DateTimeFilter, 'When it was saved.'],
  corpus: [StringFilter, 'Name of the probe text.'],
  organism: [OrganismFilter, 'The organism measured.'],
  diffVectors: [DiffVectorListFilter, 'Its diff vectors.'],
  topTokens: [TopTokensFilter, 'A token that one of its vectors was read as.'],
  grades: [GradeListFilter, 'What graders said of its projections and steered texts.'],
});

export const DiffVectorFilter = filterInput(DiffVectorFilterRef, 'Which diff vectors.', diffVectorFields, {
  layer: [IntFilter, 'Index of the decoder block, 0-based.'],
  relativeDepth: [FloatFilter, 'The depth asked for, 0 (first block) to 1 (last block).'],
  position: [IntFilter, 'Token position, 0-based, BOS included.'],
  samples: [IntFilter, 'Number of texts averaged.'],
  norm: [FloatFilter, 'L2 norm of the diff, in activation units; null when not finite.'],
  relativeNorm: [
    FloatFilter,
    'norm / baseNorm of the layer, no unit; null when either is null or baseNorm is 0.',
  ],
  baseMeanNorm: [FloatFilter, 'L2 norm of the base’s mean activation; null when not finite.'],
  finetunedMeanNorm: [FloatFilter, 'L2 norm of the finetuned’s mean activation; null when not finite.'],
  standardErrorNorm: [FloatFilter, 'L2 norm of the standard error of the mean; null when not finite.'],
  splitHalfCosine: [
    FloatFilter,
    'Cosine, -1..1, of the diffs of two halves of the texts; null when not defined.',
  ],
  cosineBaseFinetuned: [FloatFilter, 'Cosine, -1..1, of the two mean activations; null when not defined.'],
  aboveNoise: [
    BooleanFilter,
    'Whether it is more than noise; null when a number that the rule needs is null.',
  ],
  run: [RunFilter, 'The run it belongs to.'],
  topTokens: [TopTokensFilter, 'A token that it was read as.'],
  grades: [GradeListFilter, 'What graders said of its projections and steered texts.'],
});

export const ProjectionFilter = filterInput(
  builder.inputRef('ProjectionFilter'),
  'Which projections.',
  projectionFields,
  {
    method: [StringFilter, 'The method, such as logit-lens.'],
    methodVersion: [IntFilter, 'Version of that method.'],
    variant: [VariantFilter, 'Which vector was read.'],
    sign: [SignFilter, 'Which end its tokens are from.'],
    scale: [FloatFilter, 'What the vector was multiplied by; null for methods without scales.'],
    chosen: [BooleanFilter, 'Whether it is at the scale that a rule took.'],
    score: [FloatFilter, 'What that rule gave it; null where it gave none.'],
    mode: [ModeFilter, 'Which way of computing was followed.'],
    createdAt: [DateTimeFilter, 'When it was saved.'],
    diffVector: [DiffVectorFilter, 'The place it was read from.'],
    topTokens: [TopTokensFilter, 'A token in it.'],
    grades: [GradeListFilter, 'What graders said of it.'],
  },
);

export const GraderFilter = filterInput(builder.inputRef('GraderFilter'), 'Which graders.', graderFields, {
  key: [StringFilter, 'Its key.'],
  name: [StringFilter, 'What it is called.'],
  version: [IntFilter, 'Its version.'],
  promptDigest: [StringFilter, 'SHA-256 of its prompt, in hex; null for one that asks nobody.'],
  provider: [StringFilter, 'Who answers it; null for one that asks nobody.'],
  model: [StringFilter, 'The model that is asked; null for one that asks nobody.'],
  createdAt: [DateTimeFilter, 'When it first graded here.'],
});

export const GradeFilter = filterInput(GradeFilterRef, 'Which grades.', gradeFields, {
  scale: [ScaleFilter, 'What the verdict is measured on.'],
  label: [StringFilter, 'The verdict in words; null where there is none.'],
  value: [FloatFilter, 'The verdict as a number; null where there is none.'],
  invalid: [StringFilter, 'Why there is no verdict; null where there is one.'],
  createdAt: [DateTimeFilter, 'When it was saved.'],
  grader: [GraderFilter, 'Who said it.'],
  organism: [OrganismFilter, 'The organism that it is about.'],
  projection: [ProjectionFilter, 'The projection that it is about; a grade of a text does not match.'],
});

export const AgentRunFilter = filterInput(
  builder.inputRef('AgentRunFilter'),
  'Which agent runs.',
  agentRunFields,
  {
    key: [StringFilter, 'Its key, 20 hex digits.'],
    kind: [AgentKindFilter, 'What it has to go by.'],
    pair: [AgentPairFilter, 'Which two models it is shown.'],
    version: [IntFilter, 'Version of the procedure.'],
    provider: [StringFilter, 'How the language model is asked; null where none is.'],
    model: [StringFilter, 'The language model; null where none is asked.'],
    state: [AgentStateFilter, 'Where it stands.'],
    errorCode: [StringFilter, 'Why it has no answer; null where nothing went wrong.'],
    conclusive: [BooleanFilter, 'Whether its answer claims to know the finetune; null before there is one.'],
    calls: [IntFilter, 'Calls of the language model, with those that failed.'],
    interactions: [IntFilter, 'Prompts put to the models.'],
    createdAt: [DateTimeFilter, 'When it was begun.'],
    organism: [OrganismFilter, 'The organism that it is about.'],
  },
);

export const OrganismOrder = orderInput('Organism', organismSorts, {
  NAME: 'Its name.',
  KIND: 'What sort of finetune.',
  MIX_RATIO: 'Unrelated documents per document of the finetune.',
  GROUND_TRUTH: `What it was trained on, by its first ${sortedCharacters} characters.`,
  BASE_MODEL: 'Name of its base model.',
  CREATED_AT: 'When it was registered.',
});

export const RunOrder = orderInput('Run', runSorts, {
  ORGANISM: 'Name of the organism measured.',
  SAMPLES: 'Number of texts used.',
  DURATION_MS: 'How long the measurement took.',
  CREATED_AT: 'When it was saved.',
});

export const AgentRunOrder = orderInput('AgentRun', agentRunSorts, {
  ORGANISM: 'Name of the organism.',
  CALLS: 'Calls of the language model, with those that failed.',
  REPLY_TOKENS: 'Tokens of its replies.',
  CREATED_AT: 'When it was begun.',
});

export const DiffVectorOrder = orderInput('DiffVector', diffVectorSorts, {
  LAYER: 'Index of the decoder block.',
  RELATIVE_DEPTH: 'The depth asked for.',
  POSITION: 'Token position.',
  NORM: 'L2 norm of the diff.',
  RELATIVE_NORM: 'norm / baseNorm of the layer.',
  STANDARD_ERROR_NORM: 'L2 norm of the standard error of the mean.',
  SPLIT_HALF_COSINE: 'Cosine of the diffs of two halves of the texts.',
  COSINE_BASE_FINETUNED: 'Cosine of the two mean activations.',
  ORGANISM: 'Name of the organism.',
});

const gradeOrder =
  'The value of its grade by the grader that the list’s `grader` names, an error without one; of several grades the one asked for last.';

export const ProjectionOrder = orderInput('Projection', projectionSorts, {
  SCALE: 'What the vector was multiplied by.',
  SCORE: 'What the rule for scales gave it.',
  CREATED_AT: 'When it was saved.',
  NORM: 'L2 norm of the diff that it was read from.',
  GRADE: gradeOrder,
  ORGANISM: 'Name of the organism.',
});

export const ProjectionTokenOrder = orderInput('ProjectionToken', tokenSorts, {
  TEXT: 'Its text.',
  RANK: 'Place in the projection: ASC has the strongest first.',
  PROBABILITY: 'What the method gave it.',
  LAYER: 'Index of the decoder block.',
  POSITION: 'Token position.',
  NORM: 'L2 norm of the diff that it was read from.',
  GRADE: gradeOrder.replace('its grade', 'its projection’s grade'),
  ORGANISM: 'Name of the organism.',
});

export const GraderOrder = orderInput('Grader', graderSorts, {
  NAME: 'What it is called.',
  VERSION: 'Its version.',
  CREATED_AT: 'When it first graded here.',
});

export const GradeOrder = orderInput('Grade', gradeSorts, {
  VALUE: 'The verdict as a number.',
  LABEL: `The verdict in words, by its first ${sortedCharacters} characters.`,
  GRADER: 'Name of the grader.',
  CREATED_AT: 'When it was saved.',
  ORGANISM: 'Name of the organism.',
});

/** Options of the argument that GRADE needs. */
export const graderOfOrder = {
  description:
    'Whose grades GRADE of orderBy is about: a name, for its newest version, or a key. Null or absent: GRADE is an error.',
};

/** @throws BAD_USER_INPUT for an order by grades of nobody */
export function checkGrader({
  grader,
  orderBy,
}: {
  grader?: string | null | undefined;
  orderBy?: readonly Order[] | null | undefined;
}): void {
  if (typeof grader !== 'string' && orderBy?.some(({ field }) => field === 'GRADE'))
    throw badUserInput('An order by GRADE needs grader, which says whose grades.');
}
