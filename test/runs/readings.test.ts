import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { principalComponents } from '../../src/index.ts';
import { klDivergence } from '../../src/native/index.ts';
import { readByPatchscope } from '../../src/runs/patchscope.ts';
import { measureComponents } from '../../src/runs/components.ts';
import { measureDivergence } from '../../src/runs/divergence.ts';
import { numbersOf, textsOf, vectorsOf, layerOf, unitOf } from '../../src/runs/stored-run.ts';
import { everyday } from '../harness/command.ts';
import { measuredCake, rowsOf } from '../harness/measured-cake.ts';
import { bundled, copyOf, editJson, openPair } from '../harness/models.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const everything = { first: 100_000 };

describe('Patchscope of a run', () => {
  test('stores every scale, either sign and all three vectors, and marks one scale of each', async () => {
    const { store, run } = await measuredCake();
    const { readings, reused, layer } = await readByPatchscope(store, run, { positions: [0, 2] });
    expect([reused, layer.layer]).toEqual([false, 3]);
    expect(readings.map(({ vector }) => vector.position)).toEqual([0, 2]);
    for (const { projections } of readings) {
      expect(projections).toHaveLength(3 * 2 * 30);
      for (const variant of ['DIFF', 'BASE', 'FINETUNED'] as const) {
        for (const sign of ['PROMOTED', 'SUPPRESSED'] as const) {
          const own = projections.filter((row) => row.variant === variant && row.sign === sign);
          expect(own.map(({ scale }) => scale)).toEqual(
            [...own.map(({ scale }) => scale!)].sort((a, b) => a - b),
          );
          const [best] = [...own].sort((a, b) => b.score! - a.score! || a.scale! - b.scale!);
          expect(own.filter(({ chosen }) => chosen)).toEqual([best]);
          expect(own.every(({ mode }) => mode === 'EXACT')).toBe(true);
        }
      }
    }
    const before = rowsOf(store, run);
    expect((await readByPatchscope(store, run, { positions: [0, 2] })).reused).toBe(true);
    expect((await readByPatchscope(store, run)).reused).toBe(false); // position 1 was missing, and only that is added
    expect(rowsOf(store, run).projections).toBe((before.projections - 3 * 6) * 1.5 + 3 * 6);
  });

  test('reads what the engine reads: diff and finetuned by the finetune, the base’s mean by the base', async () => {
    const { store, run } = await measuredCake();
    const { readings, layer } = await readByPatchscope(store, run, { positions: [1], top: 5 });
    const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
    const { vector, projections } = readings[0]!;
    for (const [variant, kind, model] of [
      ['DIFF', 'DIFF', finetuned],
      ['BASE', 'BASE_MEAN', base],
      ['FINETUNED', 'FINETUNED_MEAN', finetuned],
    ] as const) {
      for (const [sign, scale] of [
        ['PROMOTED', 2],
        ['SUPPRESSED', -2],
      ] as const) {
        const expected = (
          await model.patchscope([numbersOf(store, vector, kind)], {
            layer: 3,
            scales: [scale],
            k: 20,
            norm: layer.finetunedNorm!,
          })
        )[0]![0]!;
        const row = projections.find(
          (one) => one.variant === variant && one.sign === sign && one.scale === 2,
        )!;
        const tokens = store.tokens.ofProjection.page(row, {}, everything).rows;
        expect(tokens.map(({ tokenId }) => tokenId)).toEqual(expected.map(({ id }) => id));
        tokens.forEach(({ probability }, i) => expect(probability).toBeCloseTo(expected[i]!.probability, 12));
      }
    }
  });

  test('the scale does not depend on how many tokens are kept', async () => {
    const { store, run } = await measuredCake();
    const scales = async (top?: number) => {
      const { readings } = await readByPatchscope(store, run, { top });
      return readings.flatMap(({ projections }) =>
        projections
          .filter(({ chosen }) => chosen)
          .map(({ variant, sign, scale, score }) => [variant, sign, scale, score]),
      );
    };
    const chosen = await scales();
    expect(await scales(3)).toEqual(chosen);
    expect(await scales(60)).toEqual(chosen);
  });

  test('compat is another reading, kept beside the exact one', async () => {
    const { store, run } = await measuredCake();
    await readByPatchscope(store, run, { positions: [1], top: 5 });
    const { readings, reused } = await readByPatchscope(store, run, {
      positions: [1],
      top: 5,
      mode: 'COMPAT',
    });
    expect(reused).toBe(false);
    expect(readings[0]!.projections.every(({ mode }) => mode === 'COMPAT')).toBe(true);
    expect(rowsOf(store, run).projections).toBe(3 * 6 + 2 * 180);
  });
});

test('KL of a run is the engine’s by position, and asked again is read', async () => {
  const { store, run } = await measuredCake();
  const { divergences, reused } = await measureDivergence(store, run);
  expect(reused).toBe(false);
  const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
  const { tokens } = await textsOf(store, run, { base, finetuned }, undefined);
  const { perToken, vocabulary } = await klDivergence(base, finetuned, tokens);
  expect(divergences.map(({ position }) => position)).toEqual([0, 1, 2]);
  for (const { position, mean, max, count, vocabulary: over } of divergences) {
    const values = perToken.map((of) => of[position]!);
    expect(mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / 40, 12);
    expect([max, count, over]).toEqual([Math.max(...values), 40, vocabulary]);
  }
  expect(await measureDivergence(store, run)).toEqual({ divergences, reused: true });
  expect(
    (await measureDivergence(store, run, { maxTexts: 5 })).divergences.map(({ count }) => count),
  ).toEqual([5, 5, 5]);
});

test('components of a run are the engine’s, and asked again are read', async () => {
  const { store, run } = await measuredCake();
  const found = await measureComponents(store, run, { positions: [0, 2], components: 4 });
  const [base, finetuned] = await openPair('tiny-qwen3--cake_bake');
  const { tokens } = await textsOf(store, run, { base, finetuned }, undefined);
  const expected = await principalComponents(base, finetuned, tokens, {
    layer: 3,
    positions: [0, 2],
    components: 4,
  });
  expect(found.components.map(({ explained }) => explained)).toEqual(
    expected.explained.map((values) => [...values]),
  );
  expect(
    found.components.map(({ total, participationRatio, meanShare, samples }) => [
      total,
      participationRatio,
      meanShare,
      samples,
    ]),
  ).toEqual(
    [0, 1].map((i) => [expected.total[i], expected.participationRatio[i], expected.meanShare[i], 40]),
  );
  expect(await measureComponents(store, run, { positions: [0, 2], components: 4 })).toEqual({
    ...found,
    reused: true,
  });
});

describe('what was measured', () => {
  test('a layer or position that was not is named, with those that were', async () => {
    const { store, run } = await measuredCake();
    await expect(readByPatchscope(store, run, { layer: 5 })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `run ${run.key} has no layer 5; it has 3`,
    });
    await expect(readByPatchscope(store, run, { positions: [0, 7] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `layer 3 of run ${run.key} has no position 7; it has 0 to 2`,
    });
  });

  test('models whose files have changed are not read', async () => {
    const base = copyOf(bundled('tiny-qwen3'));
    const { store, run } = await measuredCake({ base });
    editJson(join(base, 'config.json'), (json) => (json.initializer_range = 0.5));
    await expect(readByPatchscope(store, run)).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
    await expect(measureDivergence(store, run)).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
    expect(rowsOf(store, run).projections).toBe(3 * 6);
  });

  test('a corpus that gives other texts now is refused', async () => {
    const corpus = join(temporaryFolder(), 'corpus.jsonl');
    cpSync(everyday, corpus);
    const { store, run } = await measuredCake({ corpus });
    writeFileSync(corpus, '{"text":"Another text that is long enough."}\n');
    await expect(measureDivergence(store, run)).rejects.toMatchObject({
      code: 'CORPUS_CHANGED',
      message: `${corpus} gives other texts now than run ${run.key} was measured on; measure it again`,
    });
  });

  test('a direction has length 1', async () => {
    const { store, run } = await measuredCake();
    const [vector] = vectorsOf(store, layerOf(store, run, undefined), [1]);
    expect(Math.hypot(...unitOf(store, vector!))).toBeCloseTo(1, 6);
  });
});

test.each(['patchscope', 'divergence', 'components'] as const)(
  'a cancelled %s leaves nothing behind',
  async (what) => {
    const { store, run } = await measuredCake();
    const before = rowsOf(store, run);
    const controller = new AbortController();
    const options = {
      signal: controller.signal,
      onPhase: (phase: string) => {
        if (phase === what) controller.abort();
      },
    };
    const work = {
      patchscope: readByPatchscope,
      divergence: measureDivergence,
      components: measureComponents,
    }[what];
    await expect(work(store, run, options)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(rowsOf(store, run)).toEqual(before);
  },
);
