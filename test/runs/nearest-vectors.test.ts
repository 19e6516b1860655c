import { describe, expect, it } from 'vitest';
import type { DiffVectorRow, Store } from '../../src/db/index.ts';
import { cosine } from '../../src/lib/vector-math.ts';
import { cosineOf, type Nearest, nearestVectors } from '../../src/runs/nearest-vectors.ts';
import { seedVector } from '../harness/synthetic-results.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

/** One vector after the other: what any quicker way must find. */
const oneByOne: Nearest = (query, vectors, k) =>
  Array.from({ length: vectors.length / query.length }, (_, index) => ({
    index,
    cosine: cosine(query, vectors.subarray(index * query.length, (index + 1) * query.length)) as number,
  }))
    .sort((a, b) => b.cosine - a.cosine || a.index - b.index)
    .slice(0, k);

/** Two organisms with forty vectors each, all random. */
function seeded(): { store: Store; vector: DiffVectorRow } {
  const store = temporaryStore();
  const shape = { layers: [0, 1, 2, 3], positions: 10 };
  seedVector(store, 'L1.P0', { ...shape, organism: 'other', seed: 2 });
  seedVector(store, 'L1.P0', { ...shape, organism: 'another', seed: 3 });
  return { store, vector: seedVector(store, 'L1.P0', { ...shape, seed: 1 }) };
}

const everywhere = { sameBase: true, sameLayer: false };

describe('nearestVectors', () => {
  it('finds what is found one by one', () => {
    const { store, vector } = seeded();
    const candidates = [...store.vectors.ofOtherOrganisms(vector, everywhere)];
    expect(candidates).toHaveLength(80);
    for (const k of [1, 7, 80, 200]) {
      const found = nearestVectors(store, vector, candidates, k);
      const expected = nearestVectors(store, vector, candidates, k, { nearest: oneByOne });
      expect(found.map(({ diffVector }) => diffVector)).toEqual(expected.map(({ diffVector }) => diffVector));
      found.forEach((near, i) => expect(near.cosine).toBeCloseTo(expected[i]!.cosine, 12));
      expect(found).toHaveLength(Math.min(k, 80));
    }
    for (const { diffVector, cosine } of nearestVectors(store, vector, candidates, 3))
      expect(cosineOf(store, vector, diffVector)).toBeCloseTo(cosine, 12);
  });

  it('has none among no candidates', () => {
    const { store, vector } = seeded();
    expect(nearestVectors(store, vector, [], 3)).toEqual([]);
  });
});

describe('candidates', () => {
  it('come by run, layer and position, and none is of the organism itself', () => {
    const { store, vector } = seeded();
    const all = [...store.vectors.ofOtherOrganisms(vector, everywhere)].map(({ place }) => place);
    const order = all.map((place) => place.replace(/\d+$/, (position) => position.padStart(2, '0')));
    expect(order).toEqual(order.toSorted());
    expect(new Set(all.map((place) => place.split('.')[0])).has(vector.layer.run.key)).toBe(false);
    expect([...store.vectors.ofOtherOrganisms(vector, { sameBase: true, sameLayer: true })]).toHaveLength(20);
  });

  it('are given back when a search is given up', () => {
    const { store, vector } = seeded();
    const search = (onRead?: () => void) =>
      nearestVectors(
        store,
        vector,
        store.vectors.ofOtherOrganisms(vector, everywhere),
        3,
        onRead && { onRead },
      );
    const giveUp = () => {
      throw new Error('enough');
    };
    expect(() => search(giveUp)).toThrow('enough');
    expect(search()).toHaveLength(3);
  });
});
