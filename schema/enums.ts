import type {
  AgentKind,
  AgentPair,
  AgentRole,
  AgentState,
  HypothesisStatus,
  MapStatistic,
  CausalControl,
  CausalDirection,
  CausalSubset,
  GradeScale,
  JobState,
  Mode,
  OrganismForm,
  ProjectionSign,
  ProjectionVariant,
  SampleFinish,
  SimilarityGroup,
  SimilarityOther,
  VectorKind,
  Viewer,
  Visibility,
} from '../src/db/index.ts';
import { builder } from './builder.ts';

/** An enum whose values are all described; a value missing here does not compile. */
export const described = <Value extends string>(
  name: string,
  description: string,
  values: Record<Value, string>,
) =>
  builder.enumType(name, {
    description,
    values: Object.fromEntries(
      Object.entries(values).map(([value, text]) => [value, { value, description: text as string }]),
    ) as Record<Value, { value: Value; description: string }>,
  });

export const VisibilityEnum = described<Visibility>(
  'Visibility',
  'Who sees a thing, beside administrators and the owner of the store.',
  {
    PRIVATE: 'The token that registered it.',
    TEAM: 'Every token of the team that it belongs to.',
    UNLISTED: 'Whoever asks for it by its id or key; lists and searches have it for its own team only.',
    PUBLIC: 'Everybody who reaches the server.',
  },
);

export const ViewerKindEnum = described<Viewer['kind']>('ViewerKind', 'How somebody is known.', {
  OWNER: 'Owner of the store: everybody, on a server without tokens.',
  TOKEN: 'By a token.',
  ANONYMOUS: 'Not at all: without a token on a server that has some.',
});

export const OrganismFormEnum = described<OrganismForm>(
  'OrganismForm',
  'How the weights of an organism are kept.',
  {
    LORA: 'A low-rank adapter beside the base checkpoint.',
    FULL: 'A whole checkpoint of its own.',
  },
);

export const AdapterKindEnum = described<'LORA'>(
  'AdapterKind',
  'A way to change a model beside its weights.',
  {
    LORA: 'Low-rank updates of matrices (W x becomes W x + scale · B A x), and tensors replaced as a whole.',
  },
);

export const MapStatisticEnum = described<MapStatistic>(
  'MapStatistic',
  'A number of a diff vector that a heat map can show.',
  {
    NORM: 'L2 norm of the mean diff.',
    RELATIVE_NORM: 'norm divided by baseNorm of the layer, no unit.',
    STANDARD_ERROR_NORM: 'L2 norm of the standard error of the mean diff.',
    SPLIT_HALF_COSINE: 'Cosine between the mean diffs of two halves of the texts, -1..1.',
    COSINE_BASE_FINETUNED: 'Cosine between the mean activations of base and finetuned, -1..1.',
    SWAP_NORM_MEAN: 'Mean norm of the mean diff when base and finetuned are swapped at random, text by text.',
    SWAP_NORM_DEVIATION: 'Standard deviation of that norm over the swaps.',
  },
);

export const VectorKindEnum = described<VectorKind>(
  'VectorKind',
  'Which numbers of a place a vector holds.',
  {
    DIFF: 'Mean of finetuned − base, raw and unnormalised.',
    BASE_MEAN: 'Mean activation of the base model.',
    FINETUNED_MEAN: 'Mean activation of the finetuned model.',
  },
);

export const ProjectionVariantEnum = described<ProjectionVariant>(
  'ProjectionVariant',
  'Which vector a projection reads.',
  {
    DIFF: 'The diff: what the finetune added.',
    BASE: 'The mean activation of the base model, for comparison.',
    FINETUNED: 'The mean activation of the finetuned model, for comparison.',
  },
);

export const ProjectionSignEnum = described<ProjectionSign>(
  'ProjectionSign',
  'Which end of a projection its tokens are from.',
  {
    PROMOTED: 'Tokens that adding the vector makes likelier.',
    SUPPRESSED: 'Tokens that subtracting the vector makes likelier.',
  },
);

export const ModeEnum = described<Mode>(
  'Mode',
  'Which of two ways of computing was followed where they differ.',
  {
    EXACT: 'The maths as it is meant: no rounding but that of the sums’ own type.',
    COMPAT: 'As the published implementation does it: its rounding points, layer rule and masks.',
  },
);

export const SampleFinishEnum = described<SampleFinish>('SampleFinish', 'Why a generated text ended.', {
  STOP: 'The model said a token that ends texts.',
  LENGTH: 'It reached the most tokens asked for.',
  REPETITION: 'It repeated itself and was cut.',
});

export const CausalDirectionEnum = described<CausalDirection>(
  'CausalDirection',
  'What is done to the activations along the unit vector v, after the layer and at every token.',
  {
    BASE_TO_FINETUNED: 'The finetuned model runs with the base’s component along v in place of its own.',
    FINETUNED_TO_BASE: 'The base model runs with the finetuned’s component along v in place of its own.',
    ZERO_FINETUNED: 'The finetuned model runs without any component along v.',
    ZERO_BASE: 'The base model runs without any component along v.',
  },
);

export const CausalSubsetEnum = described<CausalSubset>(
  'CausalSubset',
  'Which predictions of the evaluation texts a loss is the mean of.',
  {
    ALL: 'Those of every counted token.',
    AFTER_K: 'Those of tokens past the first k, a number that the parameters give.',
    EXCLUDE_POSITION: 'All but those made from the position of the vector.',
  },
);

export const CausalControlEnum = described<CausalControl>(
  'CausalControl',
  'Which vector the intervention is along.',
  {
    NONE: 'The diff vector itself.',
    RANDOM: 'Random vectors, normally distributed: the mean over several.',
    RANDOM_DIFFERENCE: 'Differences of two activations of the base drawn at random: the mean over several.',
  },
);

export const SimilarityGroupEnum = described<SimilarityGroup>(
  'SimilarityGroup',
  'The texts that are compared.',
  {
    STEERED: 'The steered samples of the experiment.',
    UNSTEERED: 'Its unsteered samples, of the same model.',
    TRAINING: 'Texts that the organism was trained on, for the most that can be reached.',
  },
);

export const SimilarityOtherEnum = described<SimilarityOther>(
  'SimilarityOther',
  'The texts that they are compared with.',
  {
    TRAINING: 'Texts that the organism was trained on.',
    PROBE: 'Texts of the corpus that was measured on.',
  },
);

export const GradeScaleEnum = described<GradeScale>('GradeScale', 'What a verdict is measured on.', {
  LABEL: 'A word of the grader’s.',
  SHARE: 'A share, 0 to 1, such as that of relevant tokens.',
  SCORE: 'A score, 1 (worst) to 5 (best).',
});

export const GraderKindEnum = described<'OFFLINE' | 'LANGUAGE_MODEL'>('GraderKind', 'How a grader judges.', {
  OFFLINE: 'By a rule, which says the same of the same always, and asks nobody.',
  LANGUAGE_MODEL: 'It asks a language model and reads a verdict out of the reply.',
});

export const RelevanceGroupingEnum = described<'KIND' | 'BASE'>(
  'RelevanceGrouping',
  'What organisms of a group have in common.',
  { KIND: 'What sort of finetune they are.', BASE: 'Their base model.' },
);

export const RelevanceAgreementEnum = described<'ALL' | 'MAJORITY'>(
  'RelevanceAgreement',
  'In how many of the orders that its list was shown in a token must be relevant to count.',
  { ALL: 'In every one, as published.', MAJORITY: 'In more than half of them.' },
);

export const JobStateEnum = described<JobState>('JobState', 'Where a job stands.', {
  QUEUED: 'It waits for an engine, for the first time or again.',
  RUNNING: 'An engine works on it.',
  COMPLETED: 'Done: its result is stored.',
  ERROR: 'It could not be done; `error` says why. Starting it again tries again, but for ENGINE_CRASHED.',
  CANCELLED: 'It was cancelled. Starting it again queues it again.',
});

export const AgentKindEnum = described<AgentKind>('AgentKind', 'What an agent has to go by.', {
  AGENT: 'What was read out of the differences, and the two models to talk to.',
  BLACK_BOX: 'A baseline: the two models to talk to, and nothing else.',
  OFFLINE: 'A baseline: rules over what was read and over steered texts; no language model.',
});

export const AgentPairEnum = described<AgentPair>('AgentPair', 'Which two models an agent is shown.', {
  ORGANISM: 'The base and the finetuned one.',
  NULL: 'The base in the place of both: whatever is found then is found in nothing.',
});

export const AgentStateEnum = described<AgentState>('AgentState', 'Where an agent run stands.', {
  RUNNING: 'At work, or its process died; asked for again, it goes on.',
  STOPPED:
    'Broken off by something that may go otherwise another time, such as a provider that did not answer.',
  COMPLETED: 'It has answered.',
  FAILED: 'It ended without an answer; its transcript is kept.',
});

export const AgentRoleEnum = described<AgentRole>('AgentRole', 'Who speaks in a message.', {
  SYSTEM: 'The instructions.',
  USER: 'What it is shown, and what it is told of turns without a call.',
  ASSISTANT: 'The agent.',
  TOOL: 'What a call brought.',
});

export const HypothesisStatusEnum = described<HypothesisStatus>(
  'HypothesisStatus',
  'What has become of a hypothesis.',
  {
    ACTIVE: 'It stands on the board.',
    WITHDRAWN: 'The agent gave it up.',
    FINAL: 'It is the answer; an agent run has one at most.',
  },
);
