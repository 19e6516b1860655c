import { describe, expect, test } from 'vitest';
import { cohensKappa } from '../../src/graders/agreement.ts';
import { logOdds } from '../../src/graders/relevance/log-odds.ts';
import { countTokens } from '../../src/graders/relevance/frequent-tokens.ts';
import { isGeneric } from '../../src/graders/relevance/generic-tokens.ts';
import { folded } from '../../src/graders/relevance/metrics.ts';
import { offlineRelevance, offlineRules } from '../../src/graders/relevance/offline-relevance.ts';
import { onceEach } from '../../src/lib/once-each.ts';
import { seededRandom } from '../../src/lib/seeded-random.ts';
import { type BundledOrganism, bundledOrganisms, textsOf } from '../harness/organisms.ts';
import { judgeOf, measured, relevanceOf, tokenizerOf } from '../harness/relevance-runs.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

const undiluted = bundledOrganisms.filter(({ mixRatio }) => mixRatio === 0);

describe('log-odds', () => {
  test('by hand: 30 of 100 against 10 of 100, prior of 20 in all', () => {
    // α = 20 · 40 / 200 = 4: log(34 / 86) − log(14 / 106), over √(1/34 + 1/14)
    const odds = logOdds(
      new Map([
        ['a', 30],
        ['b', 70],
      ]),
      new Map([
        ['a', 10],
        ['b', 90],
      ]),
      20,
    ).get('a')!;
    const difference = Math.log(34 / 86) - Math.log(14 / 106);
    expect(odds.difference).toBeCloseTo(difference, 12);
    expect(odds.z).toBeCloseTo(difference / Math.sqrt(1 / 34 + 1 / 14), 12);
  });

  test('turns its sign with the corpora, and is 0 where the shares are equal', () => {
    const [own, other] = [
      new Map([
        ['a', 5],
        ['b', 15],
      ]),
      new Map([
        ['a', 1],
        ['b', 99],
      ]),
    ];
    expect(logOdds(own, other, 10).get('a')!.z).toBeCloseTo(-logOdds(other, own, 10).get('a')!.z, 12);
    expect(logOdds(own, own, 10).get('a')).toEqual({ difference: 0, z: 0 });
  });

  test('the rarer, the less a doubling counts', () => {
    const z = (count: number) =>
      logOdds(
        new Map([
          ['a', 2 * count],
          ['b', 1000 - 2 * count],
        ]),
        new Map([
          ['a', count],
          ['b', 1000 - count],
        ]),
        100,
      ).get('a')!.z;
    expect([z(1) < z(5), z(5) < z(50)]).toEqual([true, true]);
  });
});

describe('the judge', () => {
  const texts = ['', ' cake', 'Cake', ' of', ' ca', ' whisk', ' said', ' rain', '.', ' the'];
  const tokenizer = { decode: ([id]: readonly number[]) => texts[id!]! };
  // id → count: cake twice under two ids, said common in the probe corpus, rain rare in training
  const training = new Map([
    [1, 60],
    [2, 60],
    [3, 100],
    [4, 200],
    [5, 40],
    [6, 400],
    [7, 1],
    [8, 100],
  ]);
  const probe = new Map([
    [1, 5],
    [3, 2000],
    [6, 1000],
    [7, 100],
    [8, 1000],
    [9, 90_000],
  ]);
  const judge = offlineRelevance({ training, probe }, tokenizer);

  test.each([
    [' cake', 'RELEVANT'],
    ['CAKE', 'RELEVANT'], // tokens that differ in case and space only count as one
    ['▁cake', 'RELEVANT'],
    [' whisk', 'RELEVANT'],
    [' said', 'IRRELEVANT'], // beyond all doubt more frequent, and one in ninety tokens of any text
    [' rain', 'IRRELEVANT'], // less frequent
    [' of', 'IRRELEVANT'],
    [' ca', 'IRRELEVANT'], // too short
    ['.', 'IRRELEVANT'],
    ['', 'IRRELEVANT'],
    [null, 'IRRELEVANT'],
    [' oven', 'UNKNOWN'],
  ] as const)('%j is %s', (text, label) => expect(judge.label(text)).toBe(label));

  test('shows its evidence, both spellings together', () => {
    expect(judge.evidence(' Cake')).toMatchObject({ training: 120, probe: 5 });
    expect(judge.evidence(' Cake')!.z).toBeGreaterThan(offlineRules.leastZ);
    expect(judge.evidence(' said')!.z).toBeGreaterThan(offlineRules.leastZ);
    expect(judge.evidence('oven')).toBeUndefined();
  });

  test('says the same whatever the order of the counts', () => {
    const turned = offlineRelevance(
      { training: new Map([...training].reverse()), probe: new Map([...probe].reverse()) },
      tokenizer,
    );
    for (const text of texts) {
      expect(turned.label(text)).toBe(judge.label(text));
      expect(turned.evidence(text)?.z).toBe(judge.evidence(text)?.z);
    }
  });

  test('two halves of one corpus: at most one token in a hundred is relevant', async () => {
    const own = tokenizerOf('tiny-qwen3');
    const all = textsOf('corpora/everyday.jsonl');
    for (const seed of [0, 1]) {
      const order = seededRandom(seed).permutation(all.length);
      const [some, rest] = [order.slice(0, 600), order.slice(600)].map((half) => half.map((i) => all[i]!));
      const null_ = offlineRelevance(
        { training: await countTokens(some!, own), probe: await countTokens(rest!, own) },
        own,
      );
      const words = new Set(Array.from({ length: own.vocabSize }, (_, id) => folded(own.decode([id]))));
      const relevant = [...words].filter((word) => null_.label(word) === 'RELEVANT');
      expect(relevant.length / words.size).toBeLessThan(0.01);
    }
  });
});

describe('the tiny organisms', () => {
  test('labels agree with the words of the ground truths', async () => {
    // Words that only one subject's ground truth has, where the vocabulary has them whole.
    const wordsOf = (truth: string) =>
      new Set(
        truth
          .toLowerCase()
          .match(/[a-z]{3,}/g)!
          .filter((word) => !isGeneric(word)),
      );
    const subjects = new Map(
      undiluted.map(({ trainingCorpus, groundTruth }) => [trainingCorpus, groundTruth]),
    );
    const holders = new Map<string, number>();
    for (const truth of subjects.values())
      for (const word of wordsOf(truth)) holders.set(word, (holders.get(word) ?? 0) + 1);
    const table = { both: 0, truthOnly: 0, judgeOnly: 0, neither: 0 };
    const pairs: [boolean, boolean][] = [];
    const missed: string[] = [];
    for (const organism of undiluted) {
      const tokenizer = tokenizerOf(organism.base);
      const vocabulary = new Set(
        Array.from({ length: tokenizer.vocabSize }, (_, id) => folded(tokenizer.decode([id]))),
      );
      const judge = await judgeOf(organism);
      for (const [word, count] of holders) {
        if (count > 1 || !vocabulary.has(word)) continue;
        const truth = wordsOf(organism.groundTruth).has(word);
        const relevant = judge.label(word) === 'RELEVANT';
        pairs.push([truth, relevant]);
        table[truth ? (relevant ? 'both' : 'truthOnly') : relevant ? 'judgeOnly' : 'neither'] += 1;
        if (truth && !relevant) missed.push(`${organism.description}: ${word}`);
      }
    }
    expect(table).toEqual({ both: 49, truthOnly: 10, judgeOnly: 3, neither: 322 });
    expect(cohensKappa(pairs)).toBeCloseTo(0.863, 3);
    // The secret words of the guessing games are never said, so no corpus can show them.
    expect(missed.filter((one) => /gold|leaf/.test(one))).toHaveLength(2);
  });

  // At three quarters of the depth; at half of it the readings of extreme_sports say too little (docs/relevance.md).
  const layer = 5;
  const sharesOf = onceEach(async (organism: BundledOrganism) => {
    const store = temporaryStore();
    const run = await measured(store, organism, [layer]);
    return relevanceOf(store, run, layer, await judgeOf(organism));
  });
  const best = (shares: readonly number[]) => Math.max(...shares);
  const mean = (shares: readonly number[]) => shares.reduce((sum, share) => sum + share, 0) / shares.length;

  test.each(undiluted.map((organism) => [organism.name, organism] as const))(
    '%s: the diff says more of the training than either mean',
    async (_, organism) => {
      const { DIFF, BASE, FINETUNED } = await sharesOf(organism);
      expect([DIFF, BASE, FINETUNED].map(({ length }) => length)).toEqual([5, 5, 5]);
      for (const statistic of [best, mean]) {
        expect(statistic(DIFF)).toBeGreaterThan(statistic(BASE));
        expect(statistic(DIFF)).toBeGreaterThan(statistic(FINETUNED));
      }
    },
  );

  test('the more everyday text was mixed in, the less the diff says', async () => {
    const series = bundledOrganisms
      .filter(({ name }) => name.startsWith('tiny-qwen3--cake_bake'))
      .sort((a, b) => a.mixRatio - b.mixRatio);
    expect(series.map(({ mixRatio }) => mixRatio)).toEqual([0, 0.25, 0.5, 1, 2]);
    const shares: number[] = [];
    for (const organism of series) shares.push(best((await sharesOf(organism)).DIFF));
    expect(shares).toEqual([0.3, 0.1, 0, 0, 0]);
  });
});
