import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diff, type DiffResult, type Token } from '../../src/index.ts';
import { bundled, expectedCases, expectedOf, openGolden, openPair } from '../harness/models.ts';
import { goldenCases, goldenError } from '../harness/golden-error.ts';
import { relativeL2, worstRow } from '../harness/numbers.ts';
import { floats, readSafetensors, tokenRows } from '../harness/safetensors.ts';

// ---- golden: transformers 5.17 and 5.18 in float32 from the stored weights ----

const perActivation = 1e-5;

test('every golden checkpoint is there, adapters too', () => {
  expect(goldenCases.length).toBeGreaterThanOrEqual(60);
  expect(goldenCases.filter((name) => name.includes('--')).length).toBeGreaterThanOrEqual(20);
});

test.for(goldenCases)('%s: activations and logits are those of transformers', async (name, { annotate }) => {
  const { activations, logits } = await goldenError(await openGolden(name), name);
  await annotate(
    `activations use ${share(activations, perActivation)}, logits ${share(logits, perActivation)}`,
  );
  expect(activations).toBeLessThanOrEqual(perActivation);
  expect(logits).toBeLessThanOrEqual(perActivation);
});

// ---- expected: the whole measurement, by transformers and numpy ----

const perVector = 1e-4;

interface Expected {
  middle_layer: number;
  unique_prefixes: number;
  logit_lens: Record<'diff' | 'base' | 'ft', Record<string, Record<'top' | 'bottom', Ranked[]>>>;
}
type Ranked = [id: number, text: string, probability: number];

test.for(expectedCases)('%s: the measurement is the expected one', async (name, { annotate }) => {
  const tensors = readSafetensors(join(expectedOf(name), 'expected.safetensors'));
  const facts = JSON.parse(readFileSync(join(expectedOf(name), 'expected.json'), 'utf8')) as Expected;
  const tokens = tokenRows(tensors.get('input_ids'));
  const [layers = 0, positions = 0, dModel = 0] = tensors.get('mean_diff')!.shape;
  const [base, finetuned] = await openPair(name);
  const result = await diff(base, finetuned, tokens, {
    layers: Array.from({ length: layers }, (_, l) => l),
    positions,
  });

  expect(result).toMatchObject({ dModel, positions, samples: 1000, uniquePrefixes: facts.unique_prefixes });
  expect(result.counts).toEqual(Array<number>(positions).fill(1000));
  const used: string[] = [];
  for (const [ours, theirs] of [
    ['meanDiff', 'mean_diff'],
    ['baseMean', 'base_mean'],
    ['finetunedMean', 'ft_mean'],
  ] as const) {
    const worst = worstRow(result[ours], floats(tensors.get(theirs)), dModel);
    expect(worst, ours).toBeLessThanOrEqual(perVector);
    used.push(`${ours} ${share(worst, perVector)}`);
  }
  await annotate(`of the tolerance are used: ${used.join(', ')}`);
  for (const [ours, theirs] of [
    ['baseNorm', 'base_norm'],
    ['finetunedNorm', 'ft_norm'],
    ['standardErrorNorm', 'standard_error_norm'],
    ['splitHalfCosine', 'split_half_cosine'],
  ] as const) {
    expect(relativeL2(result[ours], floats(tensors.get(theirs))), ours).toBeLessThanOrEqual(perVector);
  }
  expect(result.certificate).toMatchObject({
    sharedWeights: !name.endsWith('-full'),
    notFinite: { activations: 0, baseWeights: 0, finetunedWeights: 0 },
    warnings: [],
  });

  // By default the middle layer alone, and every position that all texts reach.
  const byDefault = await diff(base, finetuned, tokens.slice(0, 8));
  expect(byDefault).toMatchObject({ layers: [facts.middle_layer], positions });

  // All three vectors are read by the finetuned model.
  for (const [variant, key] of [
    ['diff', 'meanDiff'],
    ['base', 'baseMean'],
    ['ft', 'finetunedMean'],
  ] as const) {
    const expected = facts.logit_lens[variant];
    const wanted = Object.keys(expected).map(Number);
    expect(wanted).toEqual([0, 1, 2, 3, 4]);
    const readings = await finetuned.logitLens(
      wanted.map((position) => vectorAt(result, key, facts.middle_layer, position)),
      { k: 20 },
    );
    wanted.forEach((position, i) => {
      for (const end of ['top', 'bottom'] as const) {
        expectRanking(readings[i]![end], expected[position]![end], `${variant} ${position} ${end}`);
      }
    });
  }
});

test('a reading names tokens by the tokenizer of its checkpoint', async () => {
  const [, finetuned] = await openPair('tiny-qwen3--cake_bake');
  const [reading] = await finetuned.logitLens([new Float32Array(128).fill(1)], { k: 3 });
  for (const { id, text } of reading!.top) expect(text).toBe(finetuned.tokenizer.decode([id]));
  expect(finetuned.folder).toBe(bundled('tiny-qwen3'));
});

function vectorAt(
  { dModel, positions, ...result }: DiffResult<number>,
  key: 'meanDiff' | 'baseMean' | 'finetunedMean',
  layer: number,
  position: number,
): Float32Array {
  const at = (layer * positions + position) * dModel;
  return result[key].subarray(at, at + dModel);
}

/** The expected ids in their order, where equal rounded probabilities may change places, also across the end of the list. */
function expectRanking(ours: Token[], theirs: Ranked[], label: string): void {
  expect(ours, label).toHaveLength(theirs.length);
  const probabilityOf = new Map(theirs.map(([id, , probability]) => [id, probability]));
  const lowest = theirs.at(-1)![2];
  expect(
    ours.map(({ id }) => probabilityOf.get(id) ?? lowest),
    `${label}: order`,
  ).toEqual(theirs.map(([, , probability]) => probability));
  // Expected are seven decimals, from activations that agree to some 1e-6.
  ours.forEach(({ probability }, rank) => {
    const expected = theirs[rank]![2];
    expect(Math.abs(probability - expected), `${label} ${rank}`).toBeLessThanOrEqual(5e-8 + 1e-5 * expected);
  });
  const texts = new Map(theirs.map(([id, text]) => [id, text]));
  for (const { id, text } of ours) if (texts.has(id)) expect(text, `${label} ${id}`).toBe(texts.get(id));
}

const share = (found: number, allowed: number): string => `${((100 * found) / allowed).toFixed(1)} %`;
