import type { SteeringExperimentRow } from '../src/db/index.ts';
import type { JsonValue } from '../src/lib/canonical-json.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { costs } from './cost.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { ModeEnum, SimilarityGroupEnum, SimilarityOtherEnum } from './enums.ts';
import { SampleConnection, SampleRef } from './sample.ts';
import { SimilarityConnection, SimilarityRef } from './similarity.ts';
import { rowsOf, spend } from './spend.ts';

export const SteeringExperimentRef = builder.objectRef<SteeringExperimentRow>('SteeringExperiment');
export const SteeringExperimentConnection = connectionType('SteeringExperiment', SteeringExperimentRef);

builder.node(SteeringExperimentRef, {
  description:
    'The finetuned model made to speak with strength · vector added to its activations after the layer, at every token; the vector is the diff, scaled to the length of a typical token’s activation.',
  id: { resolve: (experiment) => experiment.key },
  loadOne: (key, { store }) => store.steering.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description:
        'Readable identity: <diff vector>.steering.<judge>.<twelve hex digits of all that decides it>.',
    }),
    judge: t.exposeString('judge', { description: 'What told coherent texts from others, by its name.' }),
    judgeVersion: t.exposeInt('judgeVersion', {
      description: 'Version of that judge; it grows when its answers change.',
    }),
    mode: t.expose('mode', { type: ModeEnum, description: 'Which way of computing was followed.' }),
    strength: t.exposeFloat('strength', {
      description: 'What the vector was multiplied by, in lengths of a typical token’s activation.',
    }),
    thresholds: t.exposeFloatList('thresholds', {
      ...costs({ assumedSize: 20 }),

      description:
        'The largest strength found at which texts stay coherent, for each prompt of the search, in the unit of strength. Empty where the strength was given.',
    }),
    normMultiple: t.exposeFloat('normMultiple', {
      nullable: true,
      description:
        'strength as a multiple of the mean norm of the residual stream there, no unit. Null when not measured.',
    }),
    klFromUnsteered: t.exposeFloat('klFromUnsteered', {
      nullable: true,
      description:
        'KL(steered ‖ unsteered) of the next-token distributions, in nats, mean over the tokens measured, 0 or more. Null when not measured.',
    }),
    seed: t.expose('seed', { type: 'BigInt', description: 'Seed of the random choices, 0 or more.' }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Whatever else was asked for.' }),
    settings: t.expose('settings', {
      type: 'JSON',
      description: 'How texts were decoded: effective values, and which of them the checkpoint gave.',
    }),
    search: t.field({
      ...costs({ weight: 1 }),

      type: 'JSON',
      description: 'Every strength that was tried, and how many texts the judge found coherent and not.',
      resolve: ({ search }, _, context) => {
        spend(context, rowsOf(search.length));
        return JSON.parse(search) as JsonValue;
      },
    }),
    engineVersion: t.exposeString('engineVersion', { description: 'Version of the engine that generated.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved here.' }),
    diffVector: t.field({
      type: DiffVectorRef,
      description: 'The place whose diff was added.',
      resolve: (experiment) => experiment.diffVector,
    }),
    samples: t.connection(
      {
        type: SampleRef,
        description: 'The texts, by prompt, unsteered before steered, then by number.',
        args: {
          steered: t.arg.boolean({
            description: 'Only steered or only unsteered texts. Null or absent: both.',
          }),
          prompt: t.arg.int({
            description: 'Only texts of the prompt of this index, 0-based. Null or absent: all.',
          }),
        },
        resolve: (experiment, args, context) =>
          connection(context, context.store.samples.ofExperiment, experiment, args),
      },
      SampleConnection,
    ),
    similarities: t.connection(
      {
        type: SimilarityRef,
        description: 'How alike its texts are to others, by group.',
        args: {
          group: t.arg({ type: SimilarityGroupEnum, description: 'Only this group. Null or absent: all.' }),
          other: t.arg({
            type: SimilarityOtherEnum,
            description: 'Only compared with this group. Null or absent: all.',
          }),
        },
        resolve: (experiment, args, context) =>
          connection(context, context.store.similarities.ofExperiment, experiment, args),
      },
      SimilarityConnection,
    ),
  }),
});

builder.queryField('steeringExperiment', (t) =>
  t.field({
    type: SteeringExperimentRef,
    nullable: true,
    description: 'The steering experiment of this key; null when there is none.',
    args: { key: t.arg.string({ required: true, description: 'Its readable key.' }) },
    resolve: (_, { key }, { store }) => store.steering.findByKey(key),
  }),
);
