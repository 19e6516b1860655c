import { expect, it } from 'vitest';
import { type TokenMatch } from '../../src/db/index.ts';
import { seedOrganism, syntheticRun } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const odd = [
  'cake',
  'cake\u{10ffff}',
  'cake\u{10ffff}s',
  'caKe',
  'a\0bcd',
  'a\0b',
  'bcd',
  '\u{10ffff}',
  '\ud7ffx',
  '\ue000x',
];
// More than a thousand texts that begin alike: such a text is common, and looked for in another way.
const many = Array.from({ length: 1_100 }, (_, i) => `word${i}`);
const whose = { a: [...odd, 'word0'], b: many, c: ['nothing'] };

function seeded() {
  const store = temporaryStore();
  for (const [name, texts] of Object.entries(whose)) {
    const { organism, corpus } = seedOrganism(store, name);
    const record = syntheticRun(
      { organismId: organism.id, corpusId: corpus.id },
      { layers: [1], positions: 1, seed: name.charCodeAt(0) },
    );
    for (const projection of record.layers[0]!.vectors[0]!.projections)
      projection.tokens = texts.map((text, tokenId) => ({ tokenId, text, probability: 0.5 }));
    store.runs.save(record);
  }
  return store;
}

const does: Record<TokenMatch, (text: string, sought: string) => boolean> = {
  EXACT: (text, sought) => text === sought,
  STARTS_WITH: (text, sought) => text.startsWith(sought),
  CONTAINS: (text, sought) => text.includes(sought),
};

const sought = [
  ...odd,
  'word',
  'word1',
  'word1099',
  'ord',
  'o',
  'ake',
  '\0',
  '\0bc',
  'a\0bc',
  '\ud7ff',
  'none',
];

it('tokens of a text, and whose they are, are those that a loop finds', () => {
  const store = seeded();
  for (const text of sought) {
    for (const match of Object.keys(does) as TokenMatch[]) {
      for (const top of [5, 2_000]) {
        const where = { topTokens: { text, match, top } };
        const found = Object.entries(whose).map(([name, texts]) => ({
          name,
          count: texts.slice(0, top).filter((one) => does[match](one, text)).length,
        }));
        const projections = 2; // of each vector: promoted and suppressed
        expect(store.tokens.search.count(null, { where }), `${match} ${JSON.stringify(text)} ${top}`).toBe(
          projections * found.reduce((sum, { count }) => sum + count, 0),
        );
        const names = found.flatMap(({ name, count }) => (count > 0 ? [name] : []));
        const listed = store.organisms.all.page(null, { where }, { first: 9 }).rows;
        expect(
          listed.map(({ name }) => name),
          `${match} ${JSON.stringify(text)} ${top}`,
        ).toEqual(names);
        for (const list of [store.runs.all, store.diffVectors.all])
          expect(list.count(null, { where })).toBe(names.length);
        expect(store.projections.all.count(null, { where })).toBe(projections * names.length);
        const chosen = { topTokens: { ...where.topTokens, sign: 'SUPPRESSED' } };
        expect(store.projections.all.count(null, { where: chosen })).toBe(names.length);
      }
    }
  }
});
