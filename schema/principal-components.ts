import type { PrincipalComponentsRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connectionType } from './connection.ts';
import { costs } from './cost.ts';
import { DiffVectorRef } from './diff-vector.ts';

export const PrincipalComponentsRef = builder.objectRef<PrincipalComponentsRow>('PrincipalComponents');
export const PrincipalComponentsConnection = connectionType('PrincipalComponents', PrincipalComponentsRef);

builder.node(PrincipalComponentsRef, {
  description:
    'Along how many directions the differences of single texts, finetuned − base, spread round their mean at a place.',
  id: { resolve: (components) => components.key },
  loadOne: (key, { store }) => store.components.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description: 'Readable identity: <diff vector>.components.<twelve hex digits of the parameters>.',
    }),
    samples: t.exposeInt('samples', { description: 'Number of texts, 1 or more.' }),
    explained: t.exposeFloatList('explained', {
      ...costs({ assumedSize: 100 }),

      description:
        'Variance along the first components, in squared activation units, 0 or more, largest first: eigenvalues of the centred covariance.',
    }),
    explainedShares: t.floatList({
      ...costs({ assumedSize: 100 }),

      description: 'Each of explained as a share of total, 0..1. Empty when total is 0.',
      resolve: ({ explained, total }) => (total === 0 ? [] : explained.map((value) => value / total)),
    }),
    total: t.exposeFloat('total', {
      description: 'Variance along all directions together, in squared activation units, 0 or more.',
    }),
    participationRatio: t.exposeFloat('participationRatio', {
      nullable: true,
      description:
        'How many directions take part, (Σ variance)² / Σ variance²: 1 when there is one, d_model when all are equal. Null when nothing spreads.',
    }),
    meanShare: t.exposeFloat('meanShare', {
      nullable: true,
      description:
        '‖mean difference‖² / mean ‖difference‖², 0..1: 1 when every text shows the same difference. Null when all differences are zero.',
    }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Whatever else decides it.' }),
    engineVersion: t.exposeString('engineVersion', {
      description: 'Version of the engine that computed it.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved here.' }),
    diffVector: t.field({
      type: DiffVectorRef,
      description: 'The place it was computed at.',
      resolve: (components) => components.diffVector,
    }),
  }),
});
