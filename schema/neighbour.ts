import { nearestVectors, type Neighbour } from '../src/runs/nearest-vectors.ts';
import { builder } from './builder.ts';
import { pageSize } from './connection.ts';
import { costs } from './cost.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { maxPageSize } from './limits.ts';
import { rowsOf, spend } from './spend.ts';

const NeighbourRef = builder.objectRef<Neighbour>('Neighbour').implement({
  description: 'A diff of another organism that points the same way.',
  fields: (t) => ({
    cosine: t.exposeFloat('cosine', { description: 'Cosine of the angle between the two diffs, -1..1.' }),
    diffVector: t.field({
      type: DiffVectorRef,
      description: 'The other diff.',
      resolve: ({ diffVector }) => diffVector,
    }),
  }),
});

builder.objectField(DiffVectorRef, 'neighbours', (t) =>
  t.field({
    type: [NeighbourRef],
    ...costs({ weight: 200, slicingArguments: ['first'] }), // about what is read of 50 organisms
    description:
      'The diffs of other organisms with the largest cosine to this one, largest first, among those of equal width in this store. Empty when this one is zero or not finite. Every vector compared counts as a row of each 4 KiB against the limit of the request.',
    args: {
      first: t.arg.int({
        required: true,
        defaultValue: 10,
        description: `How many, 0 to ${maxPageSize}, else an error.`,
      }),
      sameBase: t.arg.boolean({
        required: true,
        defaultValue: true,
        description: 'Only finetunes of the same base, whose directions mean the same.',
      }),
      sameLayer: t.arg.boolean({
        required: true,
        defaultValue: true,
        description: 'Only vectors of the same layer.',
      }),
    },
    resolve: (vector, { first, sameBase, sameLayer }, context) => {
      const count = pageSize('first', first) ?? 0;
      const cost = rowsOf(4 * vector.layer.run.dModel);
      const affordable = Math.floor(context.rowsLeft / cost);
      const candidates = context.store.vectors.ofOtherOrganisms(
        vector,
        { sameBase, sameLayer },
        affordable + 1, // one more than can be paid for: spend refuses then, before a vector is read
      );
      spend(context, candidates.length * cost);
      return nearestVectors(context.store, vector, candidates, count);
    },
  }),
);
