import type { InputRef } from '@pothos/core';
import type { Scope } from '../src/db/index.ts';
import { startJob } from '../src/jobs/index.ts';
import { briefly } from '../src/lib/briefly.ts';
import { builder, type GraphContext } from './builder.ts';
import { ModeEnum } from './enums.ts';
import { given } from './given.ts';
import { JobRef } from './job.ts';
import { idempotencyKeyOptions, mutation } from './mutation.ts';
import { UserProblem } from './user-error.ts';

export const jobResult = {
  field: 'job',
  type: JobRef,
  description: 'The job, new or known; null when there are userErrors.',
} as const;

const findJob = (context: GraphContext, key: string) => context.store.jobs.findByKey(key);

/** A mutation that starts jobs of one kind. `specOf` turns the input's members into the kind's spec. */
export function starter<Input extends { idempotencyKey?: string | null | undefined }>(options: {
  name: string;
  kind: string;
  scope: Scope | readonly Scope[];
  description: string;
  input: InputRef<Input>;
  specOf?: (input: Omit<Input, 'idempotencyKey'>) => object;
}): void {
  const { kind, specOf = given, ...rest } = options;
  mutation({
    ...rest,
    result: jobResult,
    perform({ store, jobs }, input) {
      const { idempotencyKey: _, ...asked } = input;
      return startJob(store, jobs.roots, kind, specOf(asked));
    },
    detailsOf: ({ spec }) => briefly(spec),
    find: findJob,
  });
}

const again =
  'The same request is the same job: one that waits, runs or is done is returned as it stands; one that was cancelled or failed is queued again.';

const run = { required: true, description: 'Key of the run.' } as const;
const layer = {
  description: 'Decoder block from 0, one that the run has; null: the one nearest above the middle.',
};
const readPositions = { description: 'Positions from 0 that the run has; null: the first five.' };
const mode = { type: ModeEnum, description: 'Null: EXACT.' } as const;

starter({
  name: 'runStart',
  kind: 'run',
  scope: 'jobs:run',
  description: `Measures an organism on a corpus. ${again}`,
  input: builder.inputType('RunStartInput', {
    description: 'What is measured, and how much of it.',
    fields: (t) => ({
      organism: t.string({ required: true, description: 'Name of the organism.' }),
      corpus: t.string({ required: true, description: 'Name of a registered corpus.' }),
      layers: t.intList({ description: 'Decoder blocks from 0; null: the middle one, trunc((n − 1) / 2).' }),
      allLayers: t.boolean({ defaultValue: false, description: 'All blocks, whatever `layers` says.' }),
      positions: t.int({ description: 'First tokens of each text: 1 to 65,536. Null: 10.' }),
      maxSamples: t.int({ description: 'Texts at most, from 1. Null: 10,000.' }),
      top: t.int({ description: 'Tokens kept of each reading: 1 to 1,000. Null: 100.' }),
      dtype: t.string({ description: 'Of the matrix products: float32 or bfloat16. Null: float32.' }),
      mode: t.field(mode),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
  specOf: ({ allLayers, layers, ...input }) => ({
    ...given(input),
    ...(allLayers ? { layers: 'all' } : layers ? { layers } : {}),
  }),
});

starter({
  name: 'projectionStart',
  kind: 'projection',
  scope: 'jobs:run',
  description: `Reads diff vectors of a run by Patchscope. ${again}`,
  input: builder.inputType('ProjectionStartInput', {
    description: 'Which vectors are read.',
    fields: (t) => ({
      run: t.string(run),
      layer: t.int(layer),
      positions: t.intList(readPositions),
      top: t.int({ description: 'Tokens of each list, at least 20 are kept: 1 to 1,000. Null: 20.' }),
      mode: t.field(mode),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
});

starter({
  name: 'steeringStart',
  kind: 'steering',
  scope: 'jobs:run',
  description: `Lets the finetuned model speak with diffs of a run added, as strongly as it stays coherent. ${again}`,
  input: builder.inputType('SteeringStartInput', {
    description: 'What is added, and what the model is asked.',
    fields: (t) => ({
      run: t.string(run),
      layer: t.int(layer),
      positions: t.intList({ description: 'Positions from 0, an experiment each; null: 1.' }),
      promptList: t.string({ description: 'A list of ours: constrained or open. Null: constrained.' }),
      prompts: t.stringList({
        description:
          'The prompts themselves, 1 to 200 of at most 4,000 characters, in place of a list; null: those of the list.',
      }),
      maxPrompts: t.int({ description: 'The first prompts only, from 1; null: all.' }),
      samples: t.int({ description: 'Texts of each prompt, steered and not: 1 to 10,000. Null: 5.' }),
      tokens: t.int({ description: 'Tokens of a text at most, from 1. Null: 512.' }),
      temperature: t.float({ description: 'Of the texts, 0 to 100. Null: 1.1.' }),
      plain: t.boolean({ description: 'Prompts as they are, not in the base’s chat template. Null: false.' }),
      strength: t.float({
        description: 'In finetuned token norms, 0 or more, without a search; null: it is searched for.',
      }),
      searchMost: t.float({ description: 'Strongest steering that is tried, 0 or more. Null: 100.' }),
      searchSteps: t.int({ description: 'Halvings for the first probe prompt: 1 to 40. Null: 12.' }),
      searchSamples: t.int({ description: 'Texts of each strength: 1 to 10,000. Null: 10.' }),
      searchTokens: t.int({ description: 'Tokens of a text in the search at most, from 1. Null: 128.' }),
      searchTemperature: t.float({ description: 'Of the texts in the search, 0 to 100. Null: 1.2.' }),
      seed: t.int({ description: 'Of the texts, 0 to 2^31 − 1. Null: 0.' }),
      mode: t.field(mode),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
  specOf: ({ promptList, prompts, ...input }) => ({
    ...given(input),
    ...given({ prompts: prompts ?? promptList }),
  }),
});

starter({
  name: 'causalStart',
  kind: 'causal',
  scope: 'jobs:run',
  description: `Exchanges or removes the directions of a run’s diffs in both models and measures their cross entropy. ${again}`,
  input: builder.inputType('CausalStartInput', {
    description: 'Which directions, on which texts, beside which controls.',
    fields: (t) => ({
      run: t.string(run),
      layer: t.int(layer),
      positions: t.intList(readPositions),
      corpus: t.string({ description: 'Name of a corpus; null: the organism’s training corpus.' }),
      maxTexts: t.int({ description: 'Texts at most, from 1. Null: 1,000.' }),
      maxTokens: t.int({ description: 'Tokens of a text at most, from 2. Null: 1,024.' }),
      random: t.int({ description: 'Random directions to compare with: 0 to 10,000. Null: 64.' }),
      randomDifferences: t.int({
        description: 'Random differences of base activations to compare with: 0 to 10,000. Null: 64.',
      }),
      afterK: t.int({
        description: 'AFTER_K counts predictions made after this position, from 0. Null: 20.',
      }),
      seed: t.int({ description: 'Of what is random, 0 to 2^31 − 1. Null: 0.' }),
      mode: t.field(mode),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
});

starter({
  name: 'divergenceStart',
  kind: 'divergence',
  scope: 'jobs:run',
  description: `Measures KL(finetuned ‖ base) on the texts of a run. ${again}`,
  input: builder.inputType('DivergenceStartInput', {
    description: 'On how many texts.',
    fields: (t) => ({
      run: t.string(run),
      maxTexts: t.int({ description: 'The first texts only, from 1; null: all.' }),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
});

starter({
  name: 'componentsStart',
  kind: 'components',
  scope: 'jobs:run',
  description: `Finds how many directions the differences of a run’s single texts spread along. ${again}`,
  input: builder.inputType('ComponentsStartInput', {
    description: 'Where, and how many eigenvalues are kept.',
    fields: (t) => ({
      run: t.string(run),
      layer: t.int(layer),
      positions: t.intList(readPositions),
      components: t.int({ description: 'Eigenvalues kept: 1 to 1,000. Null: 10.' }),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
});

mutation({
  name: 'jobCancel',
  description:
    'Cancels a job: at once while it waits, within moments while it runs. One that has ended stays as it is.',
  scope: 'jobs:run',
  input: builder.inputType('JobCancelInput', {
    description: 'Which job.',
    fields: (t) => ({
      key: t.string({ required: true, description: 'Its 20 hex digits.' }),
      idempotencyKey: t.string(idempotencyKeyOptions),
    }),
  }),
  result: { ...jobResult, description: 'The job as it stands now; null when there is none of this key.' },
  perform: ({ store }, { key }) => {
    if (!store.jobs.findByKey(key))
      throw new UserProblem('NOT_FOUND', `There is no job ${key} here.`, ['key']);
    return store.jobs.cancel(key);
  },
  find: findJob,
});
