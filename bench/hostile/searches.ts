import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openStore } from '../../src/db/index.ts';
import { recordOf, seedBase } from '../api/dataset.ts';
import { benchFolder } from '../folder.ts';
import { say } from '../run-child.ts';

const shape = { width: 8, layers: 32, positions: 8, projections: 2, tokens: 20 };
const organisms = 100;

/** A store of 25,600 vectors and 1,024,000 tokens that everybody sees, made once in build/bench. */
export function largeStore(): string {
  const folder = join(benchFolder, 'searches-1');
  const file = join(folder, 'store.sqlite');
  if (existsSync(file)) {
    openStore(file).close(); // brings one that was made before today's tables up to them
    return file;
  }
  say(`making ${organisms} organisms in ${folder} …`);
  const making = `${folder}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making, { recursive: true });
  const store = openStore(join(making, 'store.sqlite'));
  const { corpus, organism } = seedBase(store, shape.width);
  for (let i = 0; i < organisms; i++)
    store.runs.save(recordOf({ organismId: organism(i).id, corpusId: corpus.id, seed: i + 1, ...shape }));
  store.close();
  renameSync(making, folder);
  return file;
}

const contains = (text: string) => `{ topTokens: { text: "${text}", match: CONTAINS, top: 200 } }`;
const [e, o] = [contains('e'), contains('o')];
const many = Array.from({ length: 48 }, (_, i) =>
  contains(String.fromCharCode(97 + (i % 26)) + (i > 25 ? 'o' : '')),
);

/** Queries that show little and go through much. */
export const searches = Object.entries({
  'one of the vectors with 48 texts in their tokens': `diffVectors(first: 1, where: { and: [${many.join(' ')}] }) { totalCount }`,
  'the same text 48 times': `diffVectors(first: 1, where: { and: [${Array(48).fill(e).join(' ')}] }) { totalCount }`,
  'organisms with one of two texts': `organisms(first: 1, where: { or: [${e} ${o}] }) { totalCount }`,
  'tokens with an e': 'tokenSearch(first: 1, text: "e", match: CONTAINS) { totalCount }',
  'tokens with an e, by their probability':
    'tokenSearch(first: 1, text: "e", match: CONTAINS, orderBy: [{ field: PROBABILITY }]) { totalCount }',
  'projections that are not there': 'projections(first: 1, where: { scale: { gt: 1e9 } }) { totalCount }',
  'ten lists by norm': Array.from(
    { length: 10 },
    (_, i) =>
      `a${i}: diffVectors(first: 1, orderBy: [{ field: RELATIVE_NORM }, { field: ORGANISM }]) { totalCount }`,
  ).join(' '),
  'vectors beside which nothing matches': `runs(first: 1, where: { not: { diffVectors: { some: { topTokens: { text: "e", match: CONTAINS } } } } }) { totalCount }`,
}).map(([name, query]): [name: string, query: string] => [name, `{ ${query} }`]);
