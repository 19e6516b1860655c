import { describe, expect, test } from 'vitest';
import { diff } from '../../src/index.ts';
import { golden } from '../harness/golden-error.ts';
import { bundled, openGolden, openModel, openPair, randomTokens } from '../harness/models.ts';
import { bits } from '../harness/numbers.ts';

/** Texts of 1, 4, 7, 2 and 7 tokens: only two reach position 5. */
const ragged = [[5], [5, 6, 7, 8], [9, 1, 2, 3, 4, 5, 6], [5, 6], [9, 1, 2, 3, 4, 5, 9]];

test('a model says what it is', async () => {
  const model = await openModel(bundled('tiny-qwen3'), { adapter: bundled('tiny-qwen3--cake_bake') });
  expect({ ...model.spec, adapter: null }).toEqual({
    architecture: 'Qwen3ForCausalLM',
    family: 'qwen3',
    layers: 8,
    dModel: 128,
    dMlp: 384,
    heads: 4,
    kvHeads: 2,
    headDim: 32,
    vocabSize: 2048,
    parameters: 1_837_696,
    dtype: 'bfloat16',
    computeDtype: 'float32',
    tiedHead: true,
    unknownConfigKeys: [],
    adapter: null,
    device: 'cpu',
  });
  expect(model).toMatchObject({
    folder: bundled('tiny-qwen3'),
    adapter: bundled('tiny-qwen3--cake_bake'),
    spec: { adapter: { parameters: 8 * 8 * (4 * 128 + 128 + 64 + 64 + 128 + 3 * (128 + 384)) } },
  });
  const { modules } = model.spec.adapter!;
  expect(modules).toHaveLength(8 * 7);
  for (const { module, changeNorm } of modules) expect(changeNorm, module).toBeGreaterThan(0);
});

describe('residuals and logits', () => {
  test('come in the order asked, ragged as the texts are', async () => {
    const model = await openGolden('qwen3-headdim-bf16');
    const { dModel, vocabSize } = model.spec;
    const all = await model.residuals(ragged, { layers: [0, 1, 2, 3] });
    const some = await model.residuals(ragged, { layers: [3, 0] });
    expect(some.map((layer) => layer.map(({ length }) => length))).toEqual(
      [3, 0].map(() => ragged.map(({ length }) => length * dModel)),
    );
    expect(some[0]!.map(bits)).toEqual(all[3]!.map(bits));
    expect(some[1]!.map(bits)).toEqual(all[0]!.map(bits));
    const logits = await model.logits(ragged);
    expect(logits.map(({ length }) => length)).toEqual(ragged.map(({ length }) => length * vocabSize));
  });

  test('of an empty text are empty, and of no text none', async () => {
    const model = await openGolden('qwen3-headdim-bf16');
    expect(await model.residuals([[], [1]], { layers: [0] })).toEqual([
      [new Float32Array(0), expect.any(Float32Array)],
    ]);
    expect(await model.logits([])).toEqual([]);
  });

  test('are the same for typed arrays of ids', async () => {
    const model = await openGolden('llama-tied-f16-v4config');
    const lists = await model.logits(ragged);
    for (const Kind of [Int32Array, Uint16Array, Float64Array]) {
      const typed = await model.logits(ragged.map((ids) => Kind.from(ids)));
      expect(typed.map(bits), Kind.name).toEqual(lists.map(bits));
    }
  });

  test('leave the texts as they are', async () => {
    const model = await openGolden('llama-tied-f16-v4config');
    const tokens = [Int32Array.of(1, 2, 3)];
    const pending = model.logits(tokens);
    tokens[0]!.fill(7); // after the call: it took its copy
    expect((await pending).map(bits)).toEqual((await model.logits([[1, 2, 3]])).map(bits));
  });
});

describe('logitLens', () => {
  test('takes a list of vectors or one array of them', async () => {
    const model = await openGolden('qwen3-headdim-bf16');
    const { dModel, vocabSize } = model.spec;
    const flat = Float32Array.from({ length: 2 * dModel }, (_, i) => Math.sin(i));
    const list = [flat.subarray(0, dModel), [...flat.subarray(dModel)]];
    const readings = await model.logitLens(flat, { k: vocabSize });
    expect(await model.logitLens(list, { k: vocabSize })).toEqual(readings);
    expect(readings).toHaveLength(2);
    for (const { top, bottom } of readings) {
      for (const end of [top, bottom]) {
        expect(new Set(end.map(({ id }) => id)).size).toBe(vocabSize);
        expect(end.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 9);
        expect(end.every(({ probability }, i) => i === 0 || probability <= end[i - 1]!.probability)).toBe(
          true,
        );
      }
      expect(top.map(({ id }) => id)).toEqual(bottom.map(({ id }) => id).reverse());
      expect(top[0]!.text).toBeNull(); // this checkpoint has no tokenizer
    }
  });

  test('flips the sign after the norm: the bottom of x is the top of −x', async () => {
    const model = await openGolden('llama-rope3-untied-bf16');
    const x = Float32Array.from({ length: model.spec.dModel }, (_, i) => Math.cos(3 * i));
    const [plain, negated] = await model.logitLens([x, x.map((value) => -value)], { k: 9 });
    expect(plain!.bottom).toEqual(negated!.top);
    expect(plain!.top).toEqual(negated!.bottom);
  });

  test('of no vectors is empty', async () => {
    const model = await openGolden('llama-rope3-untied-bf16');
    expect(await model.logitLens([], { k: 1 })).toEqual([]);
  });
});

describe('diff', () => {
  test('takes layers and positions in the order asked', async () => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const tokens = randomTokens(20, 6, 2048);
    const all = await diff(base, finetuned, tokens, { layers: [0, 1, 2, 3, 4, 5, 6, 7], positions: 6 });
    const some = await diff(base, finetuned, tokens, { layers: [6, 2], positions: [4, 0, 5] });
    expect(some).toMatchObject({ layers: [6, 2], positions: [4, 0, 5], counts: [20, 20, 20] });
    const dModel = 128;
    [6, 2].forEach((layer, l) =>
      [4, 0, 5].forEach((position, p) => {
        const [there, here] = [layer * 6 + position, l * 3 + p];
        for (const key of ['meanDiff', 'baseMean', 'finetunedMean'] as const) {
          expect(bits(some[key].slice(here * dModel, (here + 1) * dModel))).toBe(
            bits(all[key].slice(there * dModel, (there + 1) * dModel)),
          );
        }
        for (const key of ['standardErrorNorm', 'splitHalfCosine'] as const) {
          expect(some[key][here]).toBe(all[key][there]);
        }
      }),
    );
    // Position 5 is the only one from 5 on in both.
    expect([...some.baseNorm]).toEqual([all.baseNorm[6], all.baseNorm[2]]);
  });

  test('counts the texts that reach a position, and says NaN where none does', async () => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const result = await diff(base, finetuned, ragged, { layers: [3], positions: 8 });
    expect(result.counts).toEqual([5, 4, 3, 3, 2, 2, 2, 0]);
    expect(result.samples).toBe(5);
    expect(result.uniquePrefixes).toBe(4 + 7 + 1); // 5·6·7·8, nine to six, and the last nine
    const lengths = [result.meanDiff, result.baseNorm, result.standardErrorNorm, result.splitHalfCosine];
    expect(lengths.map(({ length }) => length)).toEqual([8 * 128, 1, 8, 8]);
    const last = (key: 'meanDiff' | 'baseMean' | 'finetunedMean') => result[key].subarray(7 * 128);
    for (const key of ['meanDiff', 'baseMean', 'finetunedMean'] as const) {
      expect(last(key).every(Number.isNaN), key).toBe(true);
      expect(result[key].subarray(0, 7 * 128).every(Number.isFinite), key).toBe(true);
    }
    expect([...result.standardErrorNorm].map(Number.isNaN)).toEqual([0, 0, 0, 0, 0, 0, 0, 1].map(Boolean));
    // From position 4 on both texts left have an even index.
    expect([...result.splitHalfCosine].map(Number.isNaN)).toEqual([0, 0, 0, 0, 1, 1, 1, 1].map(Boolean));
  });

  test('one text has a mean and no standard error', async () => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const result = await diff(base, finetuned, [[1, 2, 3]]);
    const [of, to] = [base, finetuned].map((model) => model.residuals([[1, 2, 3]], { layers: [3] }));
    expect(bits(result.baseMean)).toBe(bits((await of!)[0]![0]!));
    expect(bits(result.finetunedMean)).toBe(bits((await to!)[0]![0]!));
    expect([...result.standardErrorNorm, ...result.splitHalfCosine].every(Number.isNaN)).toBe(true);
  });

  test('takes by default the middle layer and what all texts reach', async () => {
    const [base, finetuned] = await openPair('tiny-llama--cake_bake');
    const result = await diff(base, finetuned, [
      [0, 1, 2],
      [0, 1, 2, 3],
    ]);
    expect(result).toMatchObject({ layers: [3], positions: 3, counts: [2, 2, 2], uniquePrefixes: 3 });
  });

  test('takes more texts than fit on the stack of a call', async () => {
    const base = await openModel(golden('llama-tied-f16-v4config'));
    const tokens = Array.from({ length: 200_000 }, (_, i) => [i % 331]);
    const result = await diff(base, base, tokens, { layers: [0] });
    expect(result).toMatchObject({ samples: 200_000, uniquePrefixes: 331, counts: [200_000] });
  });

  test('warns of a pair that does not differ', async () => {
    const base = await openModel(bundled('tiny-qwen3'));
    const result = await diff(base, base, ragged, { layers: [7] });
    expect(result.meanDiff.every((value) => value === 0)).toBe(true);
    expect(result.certificate).toMatchObject({
      sharedWeights: true,
      adapter: null,
      warnings: ['the two models do not differ on these tokens'],
    });
  });

  test('warns of positions that no text reaches', async () => {
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const unreached = (names: string) =>
      `no text reaches position ${names}; all that is measured there is NaN`;
    const result = await diff(base, finetuned, [[1, 2], [3]], { layers: [7], positions: [1, 2, 5] });
    expect(result.counts).toEqual([1, 0, 0]);
    expect(result.certificate.warnings).toEqual([unreached('2, 5')]);
    const equal = await diff(base, base, [[1, 2], [3]], { layers: [0, 7], positions: 23 });
    expect(equal.certificate.warnings).toEqual([
      unreached(`${Array.from({ length: 20 }, (_, i) => i + 2).join(', ')} and 1 more`),
      'the two models do not differ on these tokens',
    ]);
  });

  test('warns of a pair of two architectures', async () => {
    const [base, finetuned] = [
      await openGolden('llama-tied-f16-v4config'),
      await openGolden('qwen3-sharded-bf16'),
    ];
    const result = await diff(base, finetuned, ragged);
    expect(result.certificate).toMatchObject({
      sharedWeights: false,
      warnings: ['architectures differ: LlamaForCausalLM and Qwen3ForCausalLM'],
    });
  });
});
