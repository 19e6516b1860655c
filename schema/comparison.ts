import type { DiffHead, DiffVectorRow, RunRow } from '../src/db/index.ts';
import { float32Values } from '../src/lib/float32-bytes.ts';
import { onceEach } from '../src/lib/once-each.ts';
import { cosine } from '../src/lib/vector-math.ts';
import { builder, type GraphContext } from './builder.ts';
import { costs } from './cost.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { badUserInput } from './errors.ts';
import { maxPageSize } from './limits.ts';
import { RunRef } from './run.ts';
import { rowsOf, spend } from './spend.ts';

interface Comparison {
  a: RunRow;
  b: RunRow;
  places: PlaceComparison[];
}

interface Pair {
  a: DiffVectorRow;
  b: DiffVectorRow;
}

interface PlaceComparison extends Pair {
  /** Computed when it is first asked for, and paid for then. */
  cosine: () => number | null;
}

const PlaceComparisonRef = builder.objectRef<PlaceComparison>('PlaceComparison').implement({
  description: 'Two runs at one layer and position.',
  fields: (t) => ({
    layer: t.int({ description: 'Decoder block, 0-based.', resolve: ({ a }) => a.layer.layer }),
    position: t.int({ description: 'Token position, 0-based.', resolve: ({ a }) => a.position }),
    cosine: t.float({
      nullable: true,
      description:
        'Cosine of the angle between the two diffs, -1..1. Null when either is zero or not finite.',
      resolve: ({ cosine }) => cosine(),
    }),
    a: t.expose('a', { type: DiffVectorRef, description: 'The place in the first run.' }),
    b: t.expose('b', { type: DiffVectorRef, description: 'The place in the second run.' }),
    sharedTokens: t.stringList({
      ...costs({ weight: 2, memberWeight: 2, slicingArguments: ['first'] }),

      description:
        'Texts of the tokens that both diffs promote, in the order of the first: of the chosen scale, where the method has scales. Empty when there are none, when one was not read that way, or when the bases are not one: ids then mean other tokens.',
      args: {
        method: t.arg.string({
          required: true,
          defaultValue: 'logit-lens',
          description: 'What read them, by its name.',
        }),
        first: t.arg.int({
          required: true,
          defaultValue: 20,
          description: `How many of the best tokens of each are looked at, 1 to ${maxPageSize}, else an error.`,
        }),
      },
      resolve: ({ a, b }, { method, first }, context) => {
        if (first < 1 || first > maxPageSize)
          throw badUserInput(`first must be 1 to ${maxPageSize}, not ${first}.`);
        if (a.layer.run.baseModelId !== b.layer.run.baseModelId) return [];
        const others = new Set(promoted(b, method, first, context).map(({ tokenId }) => tokenId));
        return promoted(a, method, first, context)
          .filter(({ tokenId }) => others.has(tokenId))
          .map(({ tokenId, text }) => text ?? `#${tokenId}`);
      },
    }),
  }),
});

function promoted(vector: DiffVectorRow, method: string, first: number, context: GraphContext) {
  const { projections, tokens } = context.store;
  const filters = { method, variant: 'DIFF', sign: 'PROMOTED', chosen: true, mode: 'EXACT' } as const;
  const [reading] = projections.ofDiffVector.page(vector, filters, { first: 1 }).rows;
  if (!reading) return [];
  const { rows } = tokens.ofProjection.page(reading, {}, { first });
  spend(context, rows.length + 1);
  return rows;
}

const ComparisonRef = builder.objectRef<Comparison>('Comparison').implement({
  description: 'Two runs side by side, where both measured.',
  fields: (t) => ({
    a: t.expose('a', { type: RunRef, description: 'The first run.' }),
    b: t.expose('b', { type: RunRef, description: 'The second run.' }),
    sameBase: t.boolean({
      description: 'Whether both are of finetunes of one base: only then do equal directions mean the same.',
      resolve: ({ a, b }) => a.baseDigest === b.baseDigest,
    }),
    meanCosine: t.float({
      nullable: true,
      description: 'Mean of the places’ cosines, -1..1. Null when no place has one.',
      resolve({ places }) {
        const cosines = places.map(({ cosine }) => cosine()).filter((value) => value !== null);
        return cosines.length === 0 ? null : cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
      },
    }),
    places: t.expose('places', {
      type: [PlaceComparisonRef],
      ...costs({ assumedSize: 100 }),
      description: 'Layers and positions that both runs have, ascending.',
    }),
  }),
});

/** The run of this key, or the latest of the organism of this name. */
function demand(name: string, { store }: GraphContext): RunRow {
  const byKey = store.runs.findByKey(name);
  if (byKey) return byKey;
  const organism = store.organisms.find(name);
  const run = organism && store.runs.latestOfOrganism(organism);
  const shown = JSON.stringify(name.slice(0, 100));
  if (!run)
    throw badUserInput(
      organism ? `Nothing has been measured of ${shown} yet.` : `There is no organism or run ${shown} here.`,
    );
  return run;
}

/** The places that both runs measured, by layer and position; every place of either costs a row. */
function placesOfBoth(a: RunRow, b: RunRow, context: GraphContext): PlaceComparison[] {
  const { diffVectors, vectors } = context.store;
  const [ofA, ofB] = [diffVectors.ofRun(a), diffVectors.ofRun(b)];
  spend(context, ofA.length + ofB.length);
  const nameOf = ({ layer, position }: DiffVectorRow) => `${layer.layer}.${position}`;
  const others = new Map(ofB.map((place) => [nameOf(place), place]));
  const heads = onceEach((run: RunRow) => new Map(vectors.diffsOfRun(run).map((head) => [head.place, head])));
  const numbers = (run: RunRow, { key }: DiffVectorRow) => {
    spend(context, rowsOf(4 * run.dModel));
    return float32Values(vectors.read(heads(run).get(key) as DiffHead));
  };
  const cosineAt = onceEach(({ a: one, b: other }: Pair) => cosine(numbers(a, one), numbers(b, other)));
  return ofA.flatMap((place) => {
    const other = others.get(nameOf(place));
    if (!other) return [];
    const pair = { a: place, b: other };
    return [{ ...pair, cosine: () => cosineAt(pair) }];
  });
}

builder.queryField('compare', (t) =>
  t.field({
    type: ComparisonRef,
    ...costs({ weight: 500 }), // about what is read of 32 layers at 2 positions
    description:
      'Two organisms or runs side by side. An error when one is not there, or their vectors have different widths. Every place counts as a row, and every vector that a cosine needs as a row of each 4 KiB, against the limit of the request.',
    args: {
      a: t.arg.string({
        required: true,
        description: 'Name of an organism, for its latest run, or key of a run.',
      }),
      b: t.arg.string({
        required: true,
        description: 'Name of an organism, for its latest run, or key of a run.',
      }),
    },
    resolve(_, given, context) {
      const [a, b] = [demand(given.a, context), demand(given.b, context)];
      if (a.dModel !== b.dModel)
        throw badUserInput(
          `${a.key} has vectors of ${a.dModel} numbers and ${b.key} of ${b.dModel}; only those of one width have an angle.`,
        );
      return { a, b, places: placesOfBoth(a, b, context) };
    },
  }),
);
