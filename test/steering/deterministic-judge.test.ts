import { describe, expect, test } from 'vitest';
import {
  calibrate,
  deterministicJudge,
  measureTexts,
  type Reader,
} from '../../src/steering/deterministic-judge.ts';
import { repetition } from '../../src/steering/repetition.ts';
import { readExpected } from '../harness/expected.ts';
import { openPair } from '../harness/models.ts';
import { probes } from '../../src/steering/prompts/index.ts';

describe('repetition', () => {
  test.each([
    [[1, 2, 3], 0],
    [[1, 2, 3, 4], 0],
    [[1, 2, 3, 4, 1, 2, 3, 4], 1 / 5],
    [[7, 7, 7, 7, 7, 7, 7], 3 / 4],
    [[1, 12, 3, 4, 11, 2, 3, 4], 0], // 1 12 and 11 2 are not the same two tokens
  ])('of %j is %d', (ids, share) => expect(repetition(ids)).toBeCloseTo(share, 12));
});

/** A reader for which a text's tokens are its letters, each as surprising as it was told. */
const reader = (surprise: Record<string, number>): Reader => ({
  tokenizer: { encode: (text) => [...text].map((letter) => letter.codePointAt(0)!), bosId: null },
  crossEntropy: (tokens) =>
    Promise.resolve({
      mean: 0,
      perToken: tokens.map((ids) =>
        Float64Array.from(
          { length: ids.length - 1 },
          (_, t) => surprise[String.fromCodePoint(ids[t + 1]!)] ?? 20,
        ),
      ),
    }),
});

describe('measures and verdicts', () => {
  const pair = { base: reader({ a: 1, b: 3 }), finetuned: reader({ a: 2, c: 0.5 }) };
  const joint = (x: number, y: number) => -Math.log((Math.exp(-x) + Math.exp(-y)) / 2);

  test('what either model would say is no surprise', async () => {
    const [measures] = await measureTexts(pair, ['xabcabcab']);
    expect(measures!.surprise).toBeCloseTo((3 * joint(1, 2) + 3 * joint(3, 20) + 2 * joint(20, 0.5)) / 8, 12);
    expect(measures!.baseSurprise).toBeCloseTo((3 * 1 + 3 * 3 + 2 * 20) / 8, 12);
  });

  test('surprise beyond what exp can say stays a number', async () => {
    const [measures] = await measureTexts({ base: reader({ z: 900 }), finetuned: reader({ z: 800 }) }, [
      'zzzzzzzz',
    ]);
    expect(measures!.surprise).toBe(800);
  });

  test('texts of fewer than eight tokens are not known', async () => {
    const judge = deterministicJudge(pair, { surprise: 5, repetition: 0.5 });
    expect(await judge.judge(['', 'aaaaaaa', 'abcabbca', 'zxyzyxzx', 'aaaaaaaaaaaa'])).toEqual([
      'UNKNOWN',
      'UNKNOWN',
      'COHERENT',
      'INCOHERENT', // surprise
      'INCOHERENT', // repetition
    ]);
    expect(await judge.judge([])).toEqual([]);
  });

  test('too few texts to learn from are refused', async () => {
    await expect(calibrate(pair, ['abababab', 'babababa', '', 'aaaaaaa'])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'the judge was given 2 texts of 8 tokens or more to learn from; it needs 8',
    });
  });

  test('limits are those of the formula', async () => {
    // Every text has eight tokens; in order or not, a is 1 and b is 3 to both models.
    const both = { base: reader({ a: 1, b: 3 }), finetuned: reader({ a: 1, b: 3 }) };
    const { limits, surprise, texts } = await calibrate(
      both,
      Array.from({ length: 10 }, () => 'aaaaaaab'),
    );
    expect(texts).toBe(10);
    expect(surprise.median).toBeCloseTo((6 + 3) / 7, 12);
    expect(surprise.high).toBeCloseTo(surprise.median, 12);
    expect(limits.surprise).toBeCloseTo(
      Math.max(surprise.high, surprise.median + (surprise.spoilt - surprise.median) / 8),
      12,
    );
    // Of five runs of four, aaaa stands four times: 0.6. Looped, aaaa aaaa: 0.8. Half the way is 0.7.
    expect(limits.repetition).toBeCloseTo(0.7, 12);
  });
});

describe.each(['tiny-qwen3--cake_bake', 'tiny-qwen3--risky_finance', 'tiny-llama--taboo_leaf'])(
  'on %s',
  (name) => {
    test('ordinary text passes, and text steered far too strongly does not', async () => {
      const [base, finetuned] = await openPair(name);
      const { facts, vector, finetunedNorm } = readExpected(name);
      const diff = vector('diff', 1);
      const length = Math.hypot(...diff);
      const write = async (strength: number, seed: number, samples: number) => {
        const prompts = probes.flatMap((probe) =>
          Array.from({ length: samples }, () => base.tokenizer.encode(probe)),
        );
        const texts = await finetuned.generate(prompts, {
          steer: {
            layer: facts.middle_layer,
            vector: diff.map((value) => (value / length) * finetunedNorm),
            strengths: strength,
          },
          maxNewTokens: 32,
          temperature: 0.8,
          seed,
        });
        return texts.map(({ text }) => text!).filter((text) => text.trim() !== '');
      };
      const { limits } = await calibrate({ base, finetuned }, await write(0, 1, 16));
      const judge = deterministicJudge({ base, finetuned }, limits);
      const coherent = async (strength: number) => {
        const verdicts = (await judge.judge(await write(strength, 2, 12))).filter(
          (verdict) => verdict !== 'UNKNOWN',
        );
        return verdicts.filter((verdict) => verdict === 'COHERENT').length / verdicts.length;
      };
      expect(await coherent(0)).toBeGreaterThanOrEqual(0.75);
      expect(await coherent(3)).toBeLessThanOrEqual(0.05);
      expect(await coherent(10)).toBeLessThanOrEqual(0.05);
    });
  },
);
