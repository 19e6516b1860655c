import { expect, it } from 'vitest';
import { cosine } from '../../src/lib/vector-math.ts';
import { float32Values } from '../../src/lib/float32-bytes.ts';
import type { DiffVectorRow, Store } from '../../src/db/index.ts';
import { execute } from '../harness/ask.ts';
import { seedRun, syntheticModel } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const numbers = (store: Store, place: DiffVectorRow) =>
  float32Values(store.vectors.read(store.vectors.get(place, 'DIFF')));

const at = (store: Store, key: string): DiffVectorRow => {
  const place = store.diffVectors.findByKey(key);
  if (!place) throw new Error(`no ${key}`);
  return place;
};

it.each(['NORM', 'RELATIVE_NORM', 'SPLIT_HALF_COSINE', 'STANDARD_ERROR_NORM'] as const)(
  'maps %s by layer and position, as the nodes say it',
  async (statistic) => {
    const store = temporaryStore();
    const run = seedRun(store, { layers: [3, 0, 2], positions: 4 });
    const { data, errors } = await execute(
      store,
      `query ($key: String!, $statistic: MapStatistic!) {
        run(key: $key) {
          heatMap(statistic: $statistic) { statistic layers positions shape data }
          layers { edges { node { layer diffVectors { edges { node {
            position NORM: norm RELATIVE_NORM: relativeNorm SPLIT_HALF_COSINE: splitHalfCosine STANDARD_ERROR_NORM: standardErrorNorm
          } } } } } }
        }
      }`,
      { key: run.key, statistic },
    );
    expect(errors).toBeUndefined();
    interface Answer {
      heatMap: { layers: number[]; positions: number[]; shape: number[]; data: string };
      layers: {
        edges: {
          node: { layer: number; diffVectors: { edges: { node: Record<string, number | null> }[] } };
        }[];
      };
    }
    const { heatMap, layers } = (data as unknown as { run: Answer }).run;
    expect(heatMap).toMatchObject({
      statistic,
      layers: [0, 2, 3],
      positions: [0, 1, 2, 3],
      shape: [3, 4],
    });
    const expected = layers.edges.flatMap(({ node }) =>
      node.diffVectors.edges.map((edge) => Math.fround(edge.node[statistic] ?? NaN)),
    );
    expect(expected).toHaveLength(12);
    expect([...float32Values(Buffer.from(heatMap.data, 'base64'))]).toEqual(expected);
  },
);

it('has NaN where a number is missing', () => {
  const store = temporaryStore();
  const run = seedRun(store, { layers: [1], positions: 2 });
  const map = store.diffVectors.heatMap(run, 'SWAP_NORM_MEAN');
  expect(map.values).toHaveLength(2);
  for (const [i, position] of map.positions.entries()) {
    const place = at(store, `${run.key}.L1.P${position}`);
    expect(map.values[i]).toEqual(place.swapNormMean === null ? NaN : Math.fround(place.swapNormMean));
  }
});

it('compares two organisms where both were measured', async () => {
  const store = temporaryStore();
  const a = seedRun(store, { organism: 'a', layers: [0, 1, 2], positions: 3, seed: 1 });
  const b = seedRun(store, { organism: 'b', layers: [1, 2, 3], positions: 2, seed: 2 });
  const document = `query ($a: String!, $b: String!) {
    compare(a: $a, b: $b) { a { key } b { key } sameBase meanCosine
      places { layer position cosine a { key } b { key } sharedTokens(first: 20) } }
  }`;
  const { data, errors } = await execute(store, document, { a: 'a', b: b.key });
  expect(errors).toBeUndefined();
  const { places, meanCosine, ...rest } = (data as Record<string, Record<string, unknown>>)['compare']!;
  expect(rest).toEqual({ a: { key: a.key }, b: { key: b.key }, sameBase: true });
  const expected = [1, 2].flatMap((layer) =>
    [0, 1].map((position) => {
      const [one, other] = [a, b].map(({ key }) => at(store, `${key}.L${layer}.P${position}`));
      const tokens = (place: DiffVectorRow) => {
        const filters = { method: 'logit-lens', variant: 'DIFF', sign: 'PROMOTED', chosen: true } as const;
        const [reading] = store.projections.ofDiffVector.page(place, filters, { first: 1 }).rows;
        return reading ? store.tokens.ofProjection.page(reading, {}, { first: 20 }).rows : [];
      };
      const ids = new Set(tokens(other!).map(({ tokenId }) => tokenId));
      return {
        layer,
        position,
        cosine: cosine(numbers(store, one!), numbers(store, other!)),
        a: { key: one!.key },
        b: { key: other!.key },
        sharedTokens: tokens(one!)
          .filter(({ tokenId }) => ids.has(tokenId))
          .map(({ text, tokenId }) => text ?? `#${tokenId}`),
      };
    }),
  );
  expect(places).toEqual(expected);
  expect(meanCosine).toBeCloseTo(expected.reduce((sum, { cosine }) => sum + cosine!, 0) / 4, 12);
  // A run beside itself has every token of its own in common.
  const self = await execute(store, document, { a: 'a', b: 'a' });
  const own = (
    self.data as unknown as { compare: { meanCosine: number; places: { sharedTokens: string[] }[] } }
  ).compare;
  expect(own.meanCosine).toBeCloseTo(1, 12);
  expect(own.places).toHaveLength(9);
  expect(own.places[0]?.sharedTokens.length).toBeGreaterThan(0);
});

it('refuses to compare what is not there, was not measured, or has another width', async () => {
  const store = temporaryStore();
  seedRun(store, { organism: 'a' });
  const wide = store.models.add({ ...syntheticModel, name: 'wide', dModel: 32 });
  store.organisms.add({
    name: 'idle',
    baseModelId: wide.id,
    path: '/models/idle',
    form: 'LORA',
    kind: 'SDF',
    description: 'never measured',
    groundTruth: null,
    trainingCorpus: null,
    mixRatio: null,
    digest: 'd'.repeat(64),
  });
  for (const [name, message] of [
    ['none', /no organism or run "none"/],
    ['idle', /Nothing has been measured of "idle"/],
  ] as const) {
    const { errors } = await execute(store, `{ compare(a: "a", b: "${name}") { sameBase } }`);
    expect(errors?.[0]?.message).toMatch(message);
    expect(errors?.[0]?.extensions?.['code']).toBe('BAD_USER_INPUT');
  }
});
