import type { DiffVectorRow, VectorKind } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { ProjectionSignEnum, ProjectionVariantEnum } from './enums.ts';
import { ProjectionConnection, ProjectionRef } from './projection.ts';
import { RunLayerRef } from './run-layer.ts';
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
          description: 'What methods read out of this place, by method, variant and sign.',
          args: {
            method: t.arg.string({
              description: 'Only this method, such as logit-lens. Null or absent: all.',
            }),
            variant: t.arg({
              type: ProjectionVariantEnum,
              description: 'Only this variant. Null or absent: all.',
            }),
            sign: t.arg({ type: ProjectionSignEnum, description: 'Only this sign. Null or absent: both.' }),
          },
          resolve: (vector, args, context) =>
            connection(context, context.store.projections.ofDiffVector, vector, args),
        },
        ProjectionConnection,
      ),
    };
  },
});

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
