import { describe, expect, test } from 'vitest';
import type { CoherenceJudge, Verdict } from '../../src/steering/judge.ts';
import {
  type GenerateAt,
  isUnclear,
  publishedSearch,
  type SearchSettings,
  searchThreshold,
} from '../../src/steering/threshold-search.ts';
import { derivedSeed } from '../../src/lib/derived-seed.ts';
import { random } from '../harness/random.ts';

/** Texts that only tell their strength, and what was asked for. */
function generator() {
  const requests: { prompt: number; strengths: readonly number[]; samples: number; seed: number }[] = [];
  const generate: GenerateAt<{ text: string }> = (request) => {
    requests.push(request);
    const texts = request.strengths.map((strength) =>
      Array.from({ length: request.samples }, (_, sample) => ({
        text: `${strength} ${sample} ${request.seed} ${request.prompt}`,
      })),
    );
    return Promise.resolve(texts);
  };
  return { requests, generate };
}

const judgeOf = (verdict: (strength: number, prompt: number) => Verdict): CoherenceJudge => ({
  name: 'scripted',
  version: 1,
  parameters: {},
  judge: (texts) =>
    Promise.resolve(
      texts.map((text) => {
        const [strength = NaN, , , prompt = NaN] = text.split(' ').map(Number);
        return verdict(strength, prompt);
      }),
    ),
});
const cutAt = (cut: number) => judgeOf((strength) => (strength <= cut ? 'COHERENT' : 'INCOHERENT'));

const search = (judge: CoherenceJudge, settings: Partial<SearchSettings> = {}, prompts = 3) => {
  const { requests, generate } = generator();
  return searchThreshold(prompts, { ...publishedSearch, ...settings }, generate, judge).then((found) => ({
    ...found,
    requests,
  }));
};

describe('with a judge that never errs', () => {
  test.each([0.03, 0.5, 1, 3.3, 17, 49.99, 50, 99.9])('the threshold is the cut %d', async (cut) => {
    const { thresholds, strength, tested } = await search(cutAt(cut));
    expect(thresholds[0]).toBeLessThanOrEqual(cut);
    expect(thresholds[0]).toBeGreaterThan(cut - 100 / 4096);
    for (const later of thresholds.slice(1)) {
      expect(later).toBeLessThanOrEqual(cut);
      expect(later).toBeGreaterThan(cut - Math.min(100, 2 * thresholds[0]!) / 64);
    }
    expect(strength).toBeCloseTo(thresholds.reduce((a, b) => a + b) / 3, 12);
    // 28 + 14 + 14 strengths, and the control of each prompt.
    expect([0, 1, 2].map((p) => tested.filter(({ prompt }) => prompt === p).length)).toEqual([29, 15, 15]);
    expect(tested.every(({ texts }) => texts.length === 10)).toBe(true);
  });

  test('later prompts are searched up to twice the first threshold', async () => {
    const { thresholds, tested } = await search(cutAt(10));
    const later = tested.filter(({ prompt }) => prompt === 1).map(({ strength }) => strength);
    expect(Math.max(...later)).toBeCloseTo(2 * thresholds[0]! * (1 - 2 ** -3), 12); // the highest of the first three halvings
  });

  test('a first threshold of 0 leaves later prompts the whole bracket', async () => {
    const judge = judgeOf((strength, prompt) =>
      strength <= (prompt === 0 ? 0 : 40) ? 'COHERENT' : 'INCOHERENT',
    );
    const { thresholds, warnings, strength } = await search(judge);
    expect(thresholds[0]).toBe(0);
    expect(thresholds[1]).toBeGreaterThan(40 - 100 / 4096);
    expect(thresholds[1]).toBeLessThanOrEqual(40);
    expect(strength).toBeCloseTo((thresholds[1]! + thresholds[2]!) / 3, 12);
    expect(warnings).toEqual([
      `prompt 0: coherent at none of the strengths tried, the smallest ${100 / 2 ** 17}`,
    ]);
    expect(100 / 2 ** 17).toBeLessThanOrEqual(publishedSearch.finest);
  });

  test.each([
    [[0.01, 0.5, 0.6], {}],
    [[0.1, 0.9, 0.9], {}],
    [[0.5, 30, 0.02], {}],
    [[0.3, 0.004, 99], {}],
    [[60, 0.2, 0.9], { decisions: 4, laterDecisions: 2 }],
    [[0.5, 0.5, 0.5], { decisions: 4, laterDecisions: 2 }],
    [[0.002, 0.5, 70], { decisions: 1, laterDecisions: 1, lookahead: 3 }],
  ])('cuts %j of the prompts are found each, however far apart, by %j', async (cuts, settings) => {
    const judge = judgeOf((strength, prompt) => (strength <= cuts[prompt]! ? 'COHERENT' : 'INCOHERENT'));
    const { thresholds, strength, warnings } = await search(judge, settings);
    thresholds.forEach((threshold, prompt) => {
      expect(threshold).toBeLessThanOrEqual(cuts[prompt]!);
      expect(threshold).toBeGreaterThan(cuts[prompt]! / 2.01);
    });
    expect(strength).toBeCloseTo(thresholds.reduce((a, b) => a + b) / 3, 12);
    expect(warnings.filter((warning) => !warning.includes('strongest steering tried'))).toEqual([]);
  });

  test('a few decisions claim no more than was tried', async () => {
    const judge = judgeOf((strength) => (strength === 0 ? 'COHERENT' : 'INCOHERENT'));
    const { strength, warnings, tested } = await search(judge, { decisions: 4, finest: 3 }, 1);
    expect(strength).toBe(0);
    expect(Math.min(...tested.slice(1).map((entry) => entry.strength))).toBe(1.5625);
    expect(warnings).toEqual(['prompt 0: coherent at none of the strengths tried, the smallest 1.5625']);
  });

  test('fewer decisions than are looked ahead are made all the same', async () => {
    const { thresholds, tested } = await search(cutAt(60), { decisions: 2, laterDecisions: 1, lookahead: 3 });
    expect(thresholds).toEqual([50, 50, 50]);
    expect(tested.filter(({ prompt }) => prompt === 0).map(({ strength }) => strength)).toEqual([
      0, 50, 25, 75,
    ]);
    expect(tested.filter(({ prompt }) => prompt === 1).map(({ strength }) => strength)).toEqual([0, 50]);
  });

  test('coherence up to the end of the bracket is told', async () => {
    const { thresholds, warnings } = await search(cutAt(1e9), {}, 1);
    expect(thresholds).toEqual([100 - 100 / 4096]);
    expect(warnings).toEqual(['prompt 0: coherent up to the strongest steering tried, 99.9755859375']);
  });
});

describe('the control', () => {
  test('is strength 0, before all else', async () => {
    const { requests } = await search(cutAt(1));
    expect(requests[0]).toMatchObject({ prompt: 0, strengths: [0], samples: 10 });
  });

  test('a judge that refuses unsteered text of a prompt has no say there', async () => {
    const judge = judgeOf((strength, prompt) =>
      prompt === 1 ? 'INCOHERENT' : strength <= 8 ? 'COHERENT' : 'INCOHERENT',
    );
    const { thresholds, strength, tested, warnings } = await search(judge);
    expect(thresholds[1]).toBe(0);
    expect(tested.filter(({ prompt }) => prompt === 1)).toHaveLength(1);
    expect(strength).toBeCloseTo((thresholds[0]! + thresholds[2]!) / 2, 12);
    expect(warnings).toEqual([
      'prompt 1: of the unsteered texts, 0 % are judged coherent and 75 % are required; it is left out of the mean',
    ]);
  });

  test('where the first prompt has no say, the next is searched as the first', async () => {
    const judge = judgeOf((strength, prompt) => (prompt > 0 && strength <= 0.6 ? 'COHERENT' : 'INCOHERENT'));
    const { thresholds, strength, warnings } = await search(judge);
    expect(thresholds[0]).toBe(0);
    expect(thresholds[1]).toBeGreaterThan(0.6 - 100 / 4096);
    expect(strength).toBeCloseTo((thresholds[1]! + thresholds[2]!) / 2, 12);
    expect(strength).toBeGreaterThan(0.6 - 100 / 4096);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('it is left out of the mean');
  });

  test('with no prompt left, nothing is steered', async () => {
    const { strength, thresholds, warnings } = await search(judgeOf(() => 'INCOHERENT'));
    expect({ strength, thresholds }).toEqual({ strength: 0, thresholds: [0, 0, 0] });
    expect(warnings).toHaveLength(3);
  });
});

describe('batches', () => {
  test.each([
    { samples: 10, batch: 32 },
    { samples: 10, batch: 7 },
    { samples: 1, batch: 1 },
    { samples: 32, batch: 32 },
  ])('of $samples samples never have more than $batch rows', async ({ samples, batch }) => {
    const { requests, tested } = await search(cutAt(20), { samples, batch });
    for (const { strengths, samples: rows } of requests)
      expect(strengths.length * rows).toBeLessThanOrEqual(batch);
    for (const { texts } of tested) {
      // Equal requests would give equal texts: those of one strength differ in their seed or their number.
      expect(new Set(texts.map(({ text }) => text)).size).toBe(texts.length);
      expect(texts.length).toBeGreaterThanOrEqual(samples);
    }
  });
});

describe('a judge that errs', () => {
  // One verdict in eight is wrong: bisection alone takes a wrong turn and cannot come back.
  const noisy = (seed: number, cut: number) => {
    const next = random(seed);
    return judgeOf((strength) => (strength <= cut === next() > 1 / 8 ? 'COHERENT' : 'INCOHERENT'));
  };
  const errors = async (settings: Partial<SearchSettings>) => {
    const found = [];
    for (let seed = 0; seed < 40; seed++) {
      const { thresholds } = await search(noisy(seed, 37), settings, 1);
      found.push(Math.abs(thresholds[0]! - 37));
    }
    return found.sort((a, b) => a - b);
  };

  test('is outvoted: 35 of 40 searches end within 2 of a cut at 37', async () => {
    expect((await errors({}))[34]).toBeLessThan(2);
  });

  test('testing unclear decisions again is worth it', async () => {
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(await errors({ retests: 2 }))).toBeLessThan(mean(await errors({ retests: 0 })));
  });

  test('only unclear decisions are tested again', async () => {
    const judge = judgeOf((strength) => (strength <= 30 ? 'COHERENT' : 'INCOHERENT'));
    const first = derivedSeed(0, 'search', 0, 0, 0);
    let calls = 0;
    const hesitant: CoherenceJudge = {
      ...judge,
      judge: async (texts) => {
        calls += 1;
        const verdicts = await judge.judge(texts);
        // 7 of the first 10 texts at 50.
        return texts.map((text, i) =>
          text.startsWith('50 ') && text.split(' ')[2] === `${first}` && i % 10 < 7
            ? 'COHERENT'
            : verdicts[i]!,
        );
      },
    };
    const { tested, requests } = await search(hesitant, { decisions: 1, finest: 50 }, 1);
    expect(tested.map(({ strength, coherent, incoherent }) => [strength, coherent, incoherent])).toEqual([
      [0, 10, 0],
      [50, 7, 13],
    ]);
    expect(requests.map(({ strengths, seed }) => [strengths, seed])).toEqual([
      [[0], first],
      [[50], first],
      [[50], derivedSeed(0, 'search', 0, 1, 0)],
    ]);
    expect(calls).toBe(3);
  });
});

test('no two rounds have a seed in common, whatever the seed, the prompt and the part', async () => {
  // Half of the texts are coherent, so every decision is tested again.
  const seeds = [];
  for (const seed of [0, 1, 2]) {
    let turn = 0;
    const judge = judgeOf((strength) => (strength === 0 || (turn += 1) % 4 > 0 ? 'COHERENT' : 'INCOHERENT'));
    const settings = { decisions: 1, laterDecisions: 1, samples: 12, batch: 6, finest: 50, most: 4, seed };
    const { requests } = await search(judge, settings, 2);
    for (const { prompt, strengths, seed: used } of requests)
      if (strengths.includes(2)) seeds.push({ prompt, used });
  }
  // Three seeds, the first prompt's bracket [0, 4]; two parts of three rounds.
  const first = seeds.filter(({ prompt }) => prompt === 0);
  expect(first).toHaveLength(3 * 2 * 3);
  expect(new Set(seeds.map(({ used }) => used)).size).toBe(seeds.length);
});

test.each([
  [10, 10, false],
  [9, 10, false],
  [8, 10, true],
  [7, 10, true],
  [6, 10, false],
  [0, 10, false],
  [0, 0, false],
  [3, 3, false],
  [2, 3, true],
])('%d of %d is unclear: %s', (coherent, known, unclear) =>
  expect(isUnclear(coherent, known, 0.75)).toBe(unclear),
);

test('empty texts are not judged, and a strength that only has them is not coherent', async () => {
  const asked: string[] = [];
  const judge: CoherenceJudge = {
    ...judgeOf(() => 'COHERENT'),
    judge: (texts) => {
      asked.push(...texts);
      return Promise.resolve(texts.map(() => 'COHERENT'));
    },
  };
  const { tested, thresholds } = await searchThreshold(
    1,
    { ...publishedSearch, decisions: 2 },
    ({ strengths, samples }) =>
      Promise.resolve(
        strengths.map((strength) =>
          Array.from({ length: samples }, (_, i) => ({ text: strength > 30 || i === 0 ? ' \n' : 'text' })),
        ),
      ),
    judge,
  );
  expect(new Set(asked)).toEqual(new Set(['text']));
  expect(thresholds).toEqual([25]);
  expect(tested.find(({ strength }) => strength === 25)).toMatchObject({
    coherent: 9,
    incoherent: 0,
    unknown: 1,
  });
  expect(tested.find(({ strength }) => strength === 50)).toMatchObject({
    coherent: 0,
    unknown: 10,
    fitted: 0,
  });
});

test('a judge with too few verdicts is an error', async () => {
  const judge: CoherenceJudge = { ...cutAt(1), judge: () => Promise.resolve([]) };
  await expect(search(judge)).rejects.toMatchObject({ code: 'JUDGE_FAILED' });
});

test.each([
  [{ samples: 0 }, 'samples is 0; a whole number from 1 to 10000 is expected'],
  [{ lookahead: 30 }, 'lookahead is 30; a whole number from 1 to 8 is expected'],
  [{ finest: 0 }, 'finest is 0; a strength above 0 is expected'],
  [{ most: 0 }, 'most is 0; a strength above 0 is expected'],
  [{ requiredShare: 1.5 }, 'requiredShare is 1.5; a share above 0 is expected'],
])('settings %j are refused', async (settings, message) => {
  await expect(search(cutAt(1), settings)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
});

test('an aborted search ends', async () => {
  const controller = new AbortController();
  const { generate } = generator();
  const judge = judgeOf(() => {
    controller.abort();
    return 'COHERENT';
  });
  await expect(
    searchThreshold(1, publishedSearch, generate, judge, { signal: controller.signal }),
  ).rejects.toMatchObject({ name: 'AbortError' });
});
