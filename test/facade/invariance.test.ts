import { describe, expect, test } from 'vitest';
import { diff, type DiffResult, NativeError } from '../../src/index.ts';
import { openModel, bundled, openPair, randomTokens } from '../harness/models.ts';
import { bits } from '../harness/numbers.ts';

/** Texts of 1 to 12 tokens, many of which share their first ones. */
const tokens = randomTokens(400, 12, 2048).map((ids, i) =>
  [i % 3, i % 7, ...ids].slice(0, 1 + ((i * 5) % 12)),
);
const all = { layers: [0, 3, 7], positions: 12 };

/** Every number of a result, to the bit. */
function numbers({ counts, samples, uniquePrefixes, ...result }: DiffResult): Record<string, unknown> {
  const { meanDiff, baseMean, finetunedMean, baseNorm, finetunedNorm, standardErrorNorm, splitHalfCosine } =
    result;
  const arrays = {
    meanDiff,
    baseMean,
    finetunedMean,
    baseNorm,
    finetunedNorm,
    standardErrorNorm,
    splitHalfCosine,
  };
  const asBits = Object.entries(arrays).map(([name, values]) => [name, bits(values)]);
  return { counts, samples, uniquePrefixes, ...Object.fromEntries(asBits) };
}

describe('a diff is the same to the bit', () => {
  test('in another order of the texts that keeps even and odd apart', async () => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const [even, odd] = [0, 1].map((half) => tokens.filter((_, i) => i % 2 === half).reverse());
    const mixed = even!.flatMap((ids, i) => [ids, odd![(i * 7) % odd!.length]!]);
    expect(new Set(mixed).size).toBe(tokens.length);
    const plain = await diff(base, finetuned, tokens, all);
    expect(numbers(await diff(base, finetuned, mixed, all))).toEqual(numbers(plain));
    // In any order only the split halves change.
    const { splitHalfCosine: _, ...rest } = numbers(plain);
    expect(numbers(await diff(base, finetuned, mixed.slice(1).concat(mixed.slice(0, 1)), all))).toMatchObject(
      rest,
    );
  });

  test('on one thread and on several', async () => {
    const results = [];
    for (const threads of [1, 2, 3]) {
      const [base, finetuned] = await openPair('tiny-llama--cake_bake', { threads });
      results.push(numbers(await diff(base, finetuned, tokens, all)));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('in one wave and in many', async () => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake', { threads: 1 });
    const plain = await diff(base, finetuned, tokens, all);
    expect(plain.certificate.waves).toBe(1);
    const tooSmall: unknown = await diff(base, finetuned, tokens, { ...all, memoryBudget: 1 }).catch(
      (e: unknown) => e,
    );
    expect(tooSmall).toBeInstanceOf(NativeError);
    const { code, message, details } = tooSmall as NativeError;
    expect({ code, field: details['field'], found: details['found'] }).toEqual({
      code: 'OUT_OF_MEMORY',
      field: 'memoryBudget',
      found: '1',
    });
    const least = Number(details['expected']);
    expect(message).toContain(`at least ${least}`);
    for (const [bytes, waves] of [
      [100_000, 20],
      [1_000_000, 2],
    ] as const) {
      const result = await diff(base, finetuned, tokens, { ...all, memoryBudget: least + bytes });
      expect(result.certificate.waves).toBeGreaterThanOrEqual(waves);
      expect(numbers(result)).toEqual(numbers(plain));
    }
  });

  test('whatever other layers and later tokens are there', async () => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const few = await diff(base, finetuned, tokens, { layers: [3], positions: 4 });
    const cut = await diff(
      base,
      finetuned,
      tokens.map((ids) => ids.slice(0, 4)),
      { layers: [3], positions: 4 },
    );
    expect(numbers(cut)).toEqual(numbers(few));
  });
});

describe('an activation is the same to the bit', () => {
  test('alone and beside other texts', async () => {
    const model = await openModel(bundled('tiny-qwen3'));
    const beside = randomTokens(2000, 3, 2048, 2);
    for (const text of [[7], [7, 8, 9, 10, 11], tokens[11]!]) {
      const [alone] = await model.residuals([text], { layers: [7] });
      const [among] = await model.residuals([...beside, text, text.concat(1)], { layers: [7] });
      expect(bits(among![beside.length]!)).toBe(bits(alone![0]!));
      expect(bits(among!.at(-1)!.slice(0, text.length * 128))).toBe(bits(alone![0]!));

      const [logits] = await model.logits([text]);
      expect(bits((await model.logits([...beside.slice(0, 500), text])).at(-1)!)).toBe(bits(logits!));
    }
  });

  test('on one thread and on several', async () => {
    const texts = randomTokens(40, 30, 2048, 3);
    const [one, two] = [
      await openModel(bundled('tiny-llama'), { threads: 1 }),
      await openModel(bundled('tiny-llama'), { threads: 2 }),
    ];
    expect((await two.logits(texts)).map(bits)).toEqual((await one.logits(texts)).map(bits));
  });
});

test('a reading is the same to the bit alone and beside other vectors', async () => {
  const model = await openModel(bundled('tiny-qwen3'));
  const vectors = Array.from({ length: 900 }, (_, v) =>
    Float32Array.from({ length: 128 }, (_, i) => Math.sin(v + i * i)),
  );
  const many = await model.logitLens(vectors, { k: 5 });
  for (const v of [0, 383, 384, 899])
    expect(await model.logitLens([vectors[v]!], { k: 5 })).toEqual([many[v]]);
});
