import { nearestVectors, type Neighbour } from '../src/runs/nearest-vectors.ts';
import { builder } from './builder.ts';
import { pageSize } from './connection.ts';
import { costs } from './cost.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { maxPageSize, maxSearchCost } from './limits.ts';
import { OrganismRef } from './organism.ts';
import { organismOfRun } from './scope.ts';
import { rowsOf, search, spend } from './spend.ts';

const NeighbourRef = builder.objectRef<Neighbour & { rank: number }>('Neighbour').implement({
  description: 'A diff of another organism that points the same way.',
  fields: (t) => ({
    rank: t.exposeInt('rank', { description: 'Place in the list, 0-based: 0 is the nearest.' }),
    cosine: t.exposeFloat('cosine', { description: 'Cosine of the angle between the two diffs, -1..1.' }),
    diffVector: t.field({
      type: DiffVectorRef,
      description: 'The other diff.',
      resolve: ({ diffVector }) => diffVector,
    }),
    organism: t.field({
      type: OrganismRef,
      description: 'The organism whose diff it is: `diffVector.layer.run.organism` in one step.',
      resolve: ({ diffVector }, _, { store }) => organismOfRun(store, diffVector.layer.run),
    }),
  }),
});

/** To read, check and compare a vector takes as long as to go through so many rows for each of its points. */
const searchedPerRow = 10;

builder.objectField(DiffVectorRef, 'neighbours', (t) =>
  t.field({
    type: [NeighbourRef],
    ...costs({ weight: maxSearchCost, slicingArguments: ['first'] }),
    description: `The diffs of other organisms with the largest cosine to this one, largest first, among those of equal width in this store. Empty when this one is zero or not finite. All of them are compared, exactly, however many there are, until the time of a request is over. A vector compared counts as a row of each 4 KiB, up to ${maxSearchCost} in all.`,
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
      const candidates = context.store.vectors.ofOtherOrganisms(vector, { sameBase, sameLayer });
      const cost = rowsOf(4 * vector.layer.run.dModel);
      let unspent = maxSearchCost;
      const onRead = (vectors: number): void => {
        const rows = Math.min(unspent, vectors * cost);
        unspent -= rows;
        search(context, () => searchedPerRow * vectors * cost);
        spend(context, rows);
      };
      const found = nearestVectors(context.store, vector, candidates, count, { onRead });
      spend(context, found.length);
      return found.map((neighbour, rank) => ({ ...neighbour, rank }));
    },
  }),
);
