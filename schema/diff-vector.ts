import type { DiffVectorRow, VectorKind } from '../src/db/index.ts';
import { aboveNoise, noiseRule } from '../src/lib/above-noise.ts';
import { builder } from './builder.ts';
import { CausalEffectConnection, CausalEffectRef } from './causal-effect.ts';
import { connection, connectionType } from './connection.ts';
import {
  CausalControlEnum,
  CausalDirectionEnum,
  CausalSubsetEnum,
  ModeEnum,
  ProjectionSignEnum,
  ProjectionVariantEnum,
} from './enums.ts';
import { filtered, orderedBy } from './filter.ts';
import { DiffVectorFilter, DiffVectorOrder } from './filters.ts';
import { PrincipalComponentsConnection, PrincipalComponentsRef } from './principal-components.ts';
import { ProjectionConnection, ProjectionRef } from './projection.ts';
import { RunLayerRef } from './run-layer.ts';
import { SteeringExperimentConnection, SteeringExperimentRef } from './steering-experiment.ts';
import { VectorRef } from './vector.ts';

export const DiffVectorRef = builder.objectRef<DiffVectorRow>('DiffVector');
export const DiffVectorConnection = connectionType('DiffVector', DiffVectorRef);

builder.node(DiffVectorRef, {
  description:
    'The mean difference of activations, finetuned − base, at one layer and position: raw, unnormalised float32, with what says whether it is above the noise.',
  id: { resolve: (vector) => vector.key },
  loadOne: (key, { store }) => store.diffVectors.findByKey(key),
  fields: (t) => {
    const numbers = (kind: VectorKind, description: string) =>
      t.field({
        type: VectorRef,
        description,
        resolve: (vector, _, { store }) => store.vectors.get(vector, kind),
      });
    return {
      key: t.exposeString('key', { description: 'Readable identity: <run>.L<layer>.P<position>.' }),
      position: t.exposeInt('position', {
        description: 'Token position from the start of the text, 0-based, BOS included.',
      }),
      samples: t.exposeInt('samples', { description: 'Number of texts averaged.' }),
      norm: t.exposeFloat('norm', {
        nullable: true,
        description: 'L2 norm of the diff, in activation units, 0 or more. Null when not finite.',
      }),
      relativeNorm: t.float({
        nullable: true,
        description:
          'norm divided by baseNorm of the layer, no unit, 0 or more. Null when either is null or baseNorm is 0.',
        resolve: ({ norm, layer: { baseNorm } }) => (norm === null || !baseNorm ? null : norm / baseNorm),
      }),
      baseMeanNorm: t.exposeFloat('baseMeanNorm', {
        nullable: true,
        description: 'L2 norm of the base model’s mean activation here. Null when not finite.',
      }),
      finetunedMeanNorm: t.exposeFloat('finetunedMeanNorm', {
        nullable: true,
        description: 'L2 norm of the finetuned model’s mean activation here. Null when not finite.',
      }),
      standardErrorNorm: t.exposeFloat('standardErrorNorm', {
        nullable: true,
        description:
          'L2 norm of the standard error of the mean, in activation units: a diff whose norm is not well above it is noise. Null when not finite, as with a single sample.',
      }),
      splitHalfCosine: t.exposeFloat('splitHalfCosine', {
        nullable: true,
        description:
          'Cosine, -1..1, between the diffs of two halves of the texts: near 1 the direction repeats. Null when not defined.',
      }),
      cosineBaseFinetuned: t.exposeFloat('cosineBaseFinetuned', {
        nullable: true,
        description:
          'Cosine, -1..1, between the two mean activations. Null when either is zero or not finite.',
      }),
      swapNormMean: t.exposeFloat('swapNormMean', {
        nullable: true,
        description:
          'Mean norm of the diffs that come out when base and finetuned are swapped at random, text by text (64 seeded swaps), in activation units: what noise alone gives. Null when not measured, as in older runs, or not finite.',
      }),
      swapNormDeviation: t.exposeFloat('swapNormDeviation', {
        nullable: true,
        description: 'Standard deviation of those norms, in activation units. Null as swapNormMean is.',
      }),
      swapNormMax: t.exposeFloat('swapNormMax', {
        nullable: true,
        description: 'The largest of those norms, in activation units. Null as swapNormMean is.',
      }),
      baseSplitNorm: t.exposeFloat('baseSplitNorm', {
        nullable: true,
        description:
          'L2 norm of the difference between the base’s own means over even and odd texts, in activation units: base against base. Null when not measured or not finite.',
      }),
      aboveNoise: t.boolean({
        nullable: true,
        description:
          'Whether the diff is more than noise, by noiseRule. Null when a number that the rule needs is null.',
        resolve: aboveNoise,
      }),
      noiseRule: t.string({ description: 'The rule of aboveNoise, in words.', resolve: () => noiseRule }),
      diff: numbers('DIFF', 'The difference itself.'),
      baseMean: numbers('BASE_MEAN', 'The base model’s mean activation here.'),
      finetunedMean: numbers('FINETUNED_MEAN', 'The finetuned model’s mean activation here.'),
      layer: t.field({
        type: RunLayerRef,
        description: 'The layer it belongs to.',
        resolve: (vector) => vector.layer,
      }),
      projections: t.connection(
        {
          type: ProjectionRef,
          description: 'What methods read out of this place, by method, variant, sign and scale.',
          args: {
            method: t.arg.string({
              description: 'Only this method, such as logit-lens. Null or absent: all.',
            }),
            variant: t.arg({
              type: ProjectionVariantEnum,
              description: 'Only this variant. Null or absent: all.',
            }),
            sign: t.arg({ type: ProjectionSignEnum, description: 'Only this sign. Null or absent: both.' }),
            scale: t.arg.float({
              description:
                'Only this scale, exactly, above 0. Null or absent: all, and methods without scales.',
            }),
            chosen: t.arg.boolean({
              description:
                'Only those at the chosen scale (true), or only the others (false). Null or absent: all.',
            }),
            mode: t.arg({ type: ModeEnum, description: 'Only this mode. Null or absent: both.' }),
          },
          resolve: (vector, args, context) =>
            connection(context, context.store.projections.ofDiffVector, vector, args),
        },
        ProjectionConnection,
      ),
      steeringExperiments: t.connection(
        {
          type: SteeringExperimentRef,
          description: 'What the model said when this diff was added, by judge.',
          resolve: (vector, args, context) =>
            connection(context, context.store.steering.ofDiffVector, vector, args),
        },
        SteeringExperimentConnection,
      ),
      causalEffects: t.connection(
        {
          type: CausalEffectRef,
          description: 'What models lose without this direction, by direction, subset and control.',
          args: {
            direction: t.arg({
              type: CausalDirectionEnum,
              description: 'Only this intervention. Null or absent: all.',
            }),
            subset: t.arg({ type: CausalSubsetEnum, description: 'Only this subset. Null or absent: all.' }),
            control: t.arg({
              type: CausalControlEnum,
              description: 'Only this control; NONE for the vector itself. Null or absent: all.',
            }),
          },
          resolve: (vector, args, context) =>
            connection(context, context.store.causalEffects.ofDiffVector, vector, args),
        },
        CausalEffectConnection,
      ),
      principalComponents: t.connection(
        {
          type: PrincipalComponentsRef,
          description: 'How the differences of single texts spread here.',
          resolve: (vector, args, context) =>
            connection(context, context.store.components.ofDiffVector, vector, args),
        },
        PrincipalComponentsConnection,
      ),
    };
  },
});

builder.queryField('diffVectors', (t) =>
  t.connection(
    {
      type: DiffVectorRef,
      ...filtered,
      description:
        'The diff vectors of every organism, in the order they were saved unless told otherwise. totalCount stops at 10,000.',
      args: {
        where: t.arg({
          type: DiffVectorFilter,
          description: 'Only diff vectors that match. Null or absent: all.',
        }),
        orderBy: t.arg({ type: [DiffVectorOrder], description: orderedBy('in the order they were saved') }),
      },
      resolve: (_, args, context) => connection(context, context.store.diffVectors.all, null, args),
    },
    DiffVectorConnection,
  ),
);

builder.queryField('diffVector', (t) =>
  t.field({
    type: DiffVectorRef,
    nullable: true,
    description: 'The diff vector of this key; null when there is none.',
    args: {
      key: t.arg.string({ required: true, description: 'Its readable key, <run>.L<layer>.P<position>.' }),
    },
    resolve: (_, { key }, { store }) => store.diffVectors.findByKey(key),
  }),
);
