import type { RunLayerRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { costs } from './cost.ts';
import { DiffVectorConnection, DiffVectorRef } from './diff-vector.ts';
import { RunRef } from './run.ts';

export const RunLayerRef = builder.objectRef<RunLayerRow>('RunLayer');
export const RunLayerConnection = connectionType('RunLayer', RunLayerRef);

builder.node(RunLayerRef, {
  description:
    'A decoder block in a run. Activations are its output (resid_post), for the last block before the final norm.',
  id: { resolve: (layer) => layer.key },
  loadOne: (key, { store }) => store.layers.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', { description: 'Readable identity: <run>.L<layer>.' }),
    layer: t.exposeInt('layer', { description: 'Index of the decoder block, 0-based.' }),
    relativeDepth: t.exposeFloat('relativeDepth', {
      description: 'The depth asked for, 0 (first block) to 1 (last block), no unit.',
    }),
    baseNorm: t.exposeFloat('baseNorm', {
      nullable: true,
      description:
        'Mean L2 norm of a token’s activation in the base model, over positions from the sixth on, or over all when there are no more. Null when not finite.',
    }),
    finetunedNorm: t.exposeFloat('finetunedNorm', {
      nullable: true,
      description: 'The same in the finetuned model, in its activation units. Null when not finite.',
    }),
    run: t.field({ type: RunRef, description: 'The run it belongs to.', resolve: (layer) => layer.run }),
    diffVectors: t.connection(
      {
        type: DiffVectorRef,
        ...costs({ slicingArguments: ['positions'] }),
        description: 'The diff vectors of this layer, by position.',
        args: {
          positions: t.arg.intList({
            description: 'Only these positions, 0-based. Null or absent: all measured.',
          }),
        },
        resolve: (layer, args, context) =>
          connection(context, context.store.diffVectors.ofLayer, layer, args),
      },
      DiffVectorConnection,
    ),
    diffVector: t.field({
      type: DiffVectorRef,
      nullable: true,
      description: 'The diff vector at one position; null when the run did not measure it.',
      args: {
        position: t.arg.int({ required: true, description: 'Token position, 0-based, BOS included.' }),
      },
      resolve: (layer, { position }, { store }) => store.diffVectors.find(layer, position),
    }),
  }),
});
