import type { DivergenceRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connectionType } from './connection.ts';
import { RunRef } from './run.ts';

export const DivergenceRef = builder.objectRef<DivergenceRow>('Divergence');
export const DivergenceConnection = connectionType('Divergence', DivergenceRef);

builder.node(DivergenceRef, {
  description:
    'How far what the finetuned model expects next is from what the base expects, after one position of the texts: the Kullback-Leibler divergence KL(finetuned ‖ base) in nats.',
  id: { resolve: (divergence) => divergence.key },
  loadOne: (key, { store }) => store.divergences.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description: 'Readable identity: <run>.divergence.P<position>.<twelve hex digits of the parameters>.',
    }),
    position: t.exposeInt('position', {
      description: 'Token position after which both models predict, 0-based, BOS included.',
    }),
    mean: t.exposeFloat('mean', {
      description: 'Mean over the texts, in nats, 0 or more (a rounding error below at most).',
    }),
    max: t.exposeFloat('max', { description: 'The largest of a text, in nats, at least the mean.' }),
    count: t.exposeInt('count', { description: 'Texts that reach the position, 1 or more.' }),
    vocabulary: t.exposeInt('vocabulary', {
      description: 'Tokens that both models know: the distributions are over these.',
    }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Whatever else decides it.' }),
    engineVersion: t.exposeString('engineVersion', {
      description: 'Version of the engine that computed it.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved here.' }),
    run: t.field({
      type: RunRef,
      description: 'The run whose texts were used.',
      resolve: (divergence) => divergence.run,
    }),
  }),
});
