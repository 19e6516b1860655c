import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CausalEffectRow } from '../../src/db/index.ts';
import { columnSubset } from '../../src/runs/causal-subsets.ts';
import { measureCausalEffects } from '../../src/runs/causal.ts';
import { selectTexts } from '../../src/runs/corpus.ts';
import { layerOf, unitOf, vectorsOf } from '../../src/runs/stored-run.ts';
import { measuredCake, rowsOf } from '../harness/measured-cake.ts';
import { bundled, copyOf, openPair } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

test.each([
  { subset: 'ALL', mode: 'EXACT', counted: [0, 1, 2, 3, 4] },
  { subset: 'AFTER_K', mode: 'EXACT', counted: [3, 4] },
  { subset: 'AFTER_K', mode: 'COMPAT', counted: [3, 4] },
  { subset: 'EXCLUDE_POSITION', mode: 'EXACT', counted: [0, 2, 3, 4] },
  { subset: 'EXCLUDE_POSITION', mode: 'COMPAT', counted: [0, 1, 3, 4] },
] as const)('$subset, $mode, counts predictions from $counted', ({ subset, mode, counted }) => {
  const columns = columnSubset(subset, 5, { afterK: 2, position: 1, mode });
  expect(columns.flatMap((counts, column) => (counts ? [column] : []))).toEqual(counted);
});

test('a position beyond the texts leaves nothing out', () => {
  for (const mode of ['EXACT', 'COMPAT'] as const)
    expect(columnSubset('EXCLUDE_POSITION', 3, { afterK: 0, position: 3, mode })).toEqual([true, true, true]);
});

const few = { maxTexts: 6, maxTokens: 24, random: 3, randomDifferences: 2, afterK: 10 };
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('causal effects of a run', () => {
  test('have controls that are no differences from a BOS, nor of equal beginnings', async () => {
    const { store, run } = await measuredCake({
      base: bundled('tiny-llama'),
      finetune: bundled('tiny-llama--cake_bake'),
    });
    const { effects } = await measureCausalEffects(store, run, {
      ...few,
      randomDifferences: 20,
      positions: [1],
    });
    const control = effects.find(
      (row) =>
        row.control === 'RANDOM_DIFFERENCE' && row.subset === 'ALL' && row.direction === 'BASE_TO_FINETUNED',
    );
    expect(control).toMatchObject({ vectors: 20 });
    expect(control!.intervenedLossDeviation).toBeGreaterThan(0);
  });

  test('are the cross entropies of models whose component is exchanged or removed', async () => {
    const { store, run } = await measuredCake();
    const { effects, reused } = await measureCausalEffects(store, run, { ...few, positions: [1, 2] });
    expect(reused).toBe(false);
    expect(effects).toHaveLength(2 * 4 * 3 * 3);
    const find = (wanted: Partial<CausalEffectRow> & { position: number }) => {
      const { position, ...columns } = wanted;
      return effects.find(
        (row) =>
          row.diffVector.position === position &&
          Object.entries(columns).every(([name, value]) => row[name as keyof CausalEffectRow] === value),
      )!;
    };

    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const { tokens } = await selectTexts({
      file: bundled('corpora/cake_bake.jsonl'),
      textColumn: 'text',
      tokenizer: base.tokenizer,
      positions: 24,
      leastTokens: 2,
      maxSamples: 6,
    });
    const [vector] = vectorsOf(store, layerOf(store, run, undefined), [1]).map((row) => unitOf(store, row));
    const subsetMean = (perToken: Float64Array[], counts: (column: number) => boolean) =>
      mean(perToken.flatMap((losses) => [...losses].filter((_, column) => counts(column))));
    const at = { layer: 3, vector: vector! };
    for (const [direction, model, intervene] of [
      ['BASE_TO_FINETUNED', finetuned, { ...at, kind: 'swap' as const, source: base }],
      ['FINETUNED_TO_BASE', base, { ...at, kind: 'swap' as const, source: finetuned }],
      ['ZERO_FINETUNED', finetuned, { ...at, kind: 'remove' as const }],
      ['ZERO_BASE', base, { ...at, kind: 'remove' as const }],
    ] as const) {
      const { perToken } = await model.crossEntropy(tokens, { intervene });
      for (const [subset, counts] of [
        ['ALL', () => true],
        ['AFTER_K', (column: number) => column > 10],
        ['EXCLUDE_POSITION', (column: number) => column !== 1],
      ] as const) {
        const effect = find({ position: 1, direction, subset, control: 'NONE' });
        expect(effect.intervenedLoss).toBeCloseTo(subsetMean(perToken, counts), 4);
        expect(effect.baseLoss).toBeCloseTo(
          subsetMean((await base.crossEntropy(tokens)).perToken, counts),
          4,
        );
        expect(effect.finetunedLoss).toBeCloseTo(
          subsetMean((await finetuned.crossEntropy(tokens)).perToken, counts),
          4,
        );
        expect(effect.count).toBe(
          perToken.reduce((n, losses) => n + [...losses].filter((_, c) => counts(c)).length, 0),
        );
        expect([effect.vectors, effect.seed, effect.intervenedLossDeviation]).toEqual([1, null, null]);
      }
    }
    // Controls do not depend on the position, but for the prediction that is left out.
    for (const control of ['RANDOM', 'RANDOM_DIFFERENCE'] as const) {
      const [one, two] = [1, 2].map((position) =>
        find({ position, direction: 'ZERO_FINETUNED', subset: 'ALL', control }),
      );
      expect(one!.intervenedLoss).toBe(two!.intervenedLoss);
      expect(one!.intervenedLossDeviation).toBeGreaterThan(0);
      expect([one!.vectors, one!.seed]).toEqual([control === 'RANDOM' ? 3 : 2, 0]);
    }
  });

  test('asked again are read; with another seed only controls differ', async () => {
    const { store, run } = await measuredCake();
    const first = await measureCausalEffects(store, run, { ...few, positions: [1] });
    const again = await measureCausalEffects(store, run, { ...few, positions: [1] });
    expect(again.reused).toBe(true);
    expect(new Set(again.effects.map(({ key }) => key))).toEqual(
      new Set(first.effects.map(({ key }) => key)),
    );
    const other = await measureCausalEffects(store, run, { ...few, positions: [1], seed: 5 });
    expect(other.reused).toBe(false);
    other.effects.forEach((effect, i) => {
      const before = first.effects[i]!;
      if (effect.control === 'NONE') expect(effect.key).toBe(before.key);
      else expect(effect.intervenedLoss).not.toBe(before.intervenedLoss);
    });
  });

  test('compat leaves out the next prediction', async () => {
    const { store, run } = await measuredCake();
    const options = { ...few, random: 0, randomDifferences: 0, positions: [1] };
    const losses = async (mode: 'EXACT' | 'COMPAT') =>
      (await measureCausalEffects(store, run, { ...options, mode })).effects.find(
        ({ subset }) => subset === 'EXCLUDE_POSITION',
      )!;
    const [exact, compat] = [await losses('EXACT'), await losses('COMPAT')];
    expect(compat.count).toBe(exact.count);
    expect(compat.finetunedLoss).not.toBe(exact.finetunedLoss);
  });

  test('need texts, and predictions in every subset', async () => {
    const without = await measuredCake({ trainingCorpus: undefined });
    await expect(
      measureCausalEffects(without.store, without.run, { ...few, positions: [1] }),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('--training-corpus') as string,
    });

    const { store, run } = await measuredCake();
    await expect(
      measureCausalEffects(store, run, { ...few, afterK: 30, positions: [1] }),
    ).rejects.toMatchObject({
      code: 'CORPUS_UNUSABLE',
      message: expect.stringContaining('AFTER_K') as string,
    });
    await expect(
      measureCausalEffects(store, run, { ...few, randomDifferences: 61, positions: [1] }),
    ).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(
        /^61 random differences need 122 different beginnings of texts, run .* has \d+; ask for fewer$/,
      ) as string,
    });
    const corpus = join(temporaryFolder(), 'empty.jsonl');
    writeFileSync(corpus, '{"text":" "}\n');
    await expect(
      measureCausalEffects(store, run, {
        ...few,
        positions: [1],
        corpus: { name: 'empty', file: corpus, textColumn: 'text' },
      }),
    ).rejects.toMatchObject({ code: 'CORPUS_UNUSABLE' });
    expect(rowsOf(store, run).effects).toBe(0);
  });

  test('asked again are read, without the models', async () => {
    const base = copyOf(bundled('tiny-qwen3'));
    const { store, run } = await measuredCake({ base });
    const options = { ...few, positions: [1] };
    const { effects } = await measureCausalEffects(store, run, options);
    renameSync(base, `${base}-moved`);
    expect(await measureCausalEffects(store, run, options)).toMatchObject({ effects, reused: true });
    await expect(measureCausalEffects(store, run, { ...options, seed: 1 })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining(base) as string,
    });
  });

  test('cancelled, nothing is stored', async () => {
    const { store, run } = await measuredCake();
    const controller = new AbortController();
    await expect(
      measureCausalEffects(store, run, {
        ...few,
        positions: [1],
        signal: controller.signal,
        onPhase: (phase) => {
          if (phase === 'causal') controller.abort();
        },
      }),
    ).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(rowsOf(store, run).effects).toBe(0);
  });
});
