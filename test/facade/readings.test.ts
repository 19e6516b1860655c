import { expect, test } from 'vitest';
import { causalEffect, klDivergence, type Model, patchscopeScales, type Token } from '../../src/index.ts';
import { type ExpectedVariant, type Ranked, readExpected } from '../harness/expected.ts';
import { expectedCases, openPair } from '../harness/models.ts';

// ---- what transformers computed for the same organisms, in float32 ----

const readTop = 10;
const perProbability = 1e-4;
const perCrossEntropy = 1e-4;
/**
 * Of the value, or of 1 nat where it is smaller. Not absolute: with float64 models in place of float32 ones, transformers' own values move by
 * up to 5.5e-6 (at 2.6 nats); ours are nearer to these than the expected ones are.
 */
const perDivergence = 1e-6;

test.for(expectedCases)('%s: Patchscope reads what transformers reads', async (name, { annotate }) => {
  const expected = readExpected(name);
  const [base, finetuned] = await openPair(name);
  const { facts } = expected;
  expect(facts.scales).toEqual(patchscopeScales);
  const readers: [ExpectedVariant, Model][] = [
    ['diff', finetuned],
    ['base', base],
    ['ft', finetuned],
  ];
  let [lists, worst] = [0, 0];
  for (const [variant, model] of readers) {
    const positions = Object.keys(facts.patchscope[variant]);
    const readings = await model.patchscope(
      positions.map((position) => expected.vector(variant, Number(position))),
      {
        layer: facts.middle_layer,
        norm: expected.finetunedNorm,
        intersection: facts.patchscope_intersection_k,
      },
    );
    for (const [p, position] of positions.entries()) {
      for (const [s, scale] of facts.scales.entries()) {
        const theirs = facts.patchscope[variant][position]![scale.toFixed(1)]!;
        const ours = readings[p]![s]!;
        worst = Math.max(worst, probabilityError(ours, theirs));
        expect(sameUpToTies(ours, theirs), `${variant}, position ${position}, scale ${scale}`).toBe(true);
        lists += 1;
      }
    }
  }
  expect(lists).toBe(3 * 5 * 30);
  expect(worst).toBeLessThanOrEqual(perProbability);
  await annotate(`${lists} lists, worst probability off by ${worst.toExponential(1)}`);
});

/** The largest difference of probabilities at equal rank. */
const probabilityError = (ours: Token[], theirs: Ranked[]): number =>
  Math.max(
    0,
    ...theirs
      .slice(0, readTop)
      .map(([, , probability], i) => Math.abs(probability - (ours[i]?.probability ?? Infinity))),
  );

/** Equal ids at every rank, but that neighbours whose probabilities agree to rounding may stand in any order. */
function sameUpToTies(ours: Token[], theirs: Ranked[]): boolean {
  const near = 2e-6; // theirs are rounded to 7 digits behind the point
  return theirs.slice(0, readTop).every(([id, , probability], rank) => {
    if (ours[rank]?.id === id) return true;
    const place = ours.findIndex((token) => token.id === id);
    return (
      place >= 0 &&
      Math.abs(ours[place]!.probability - probability) < near &&
      Math.abs(ours[rank]!.probability - probability) < near
    );
  });
}

test.for(expectedCases)('%s: causal effects are those of transformers', async (name) => {
  const expected = readExpected(name);
  const { causal, middle_layer: layer } = expected.facts;
  const [base, finetuned] = await openPair(name);
  const result = await causalEffect(base, finetuned, causal.documents, {
    layer,
    vectors: [expected.vector('diff', causal.position)],
  });
  const mean = (sums: Float64Array | undefined) => sum(sums!) / sum(result.counts);
  expect(sum(result.counts)).toBe(causal.documents.length * (causal.documents[0]!.length - 1));
  for (const [ours, theirs] of [
    [result.base, causal.ce_base],
    [result.finetuned, causal.ce_ft],
    [result.intervened.baseToFinetuned, causal.base_to_ft],
    [result.intervened.finetunedToBase, causal.ft_to_base],
    [result.intervened.zeroFinetuned, causal.zero_ablate_ft],
  ] as const) {
    expect(Math.abs(mean(ours) - theirs)).toBeLessThanOrEqual(perCrossEntropy);
  }

  // The same one by one, as the model's own cross entropy under an intervention.
  const vector = expected.vector('diff', causal.position);
  for (const [model, intervene, sums] of [
    [base, undefined, result.base],
    [finetuned, { kind: 'swap', layer, vector, source: base }, result.intervened.baseToFinetuned],
    [base, { kind: 'swap', layer, vector, source: finetuned }, result.intervened.finetunedToBase],
    [finetuned, { kind: 'remove', layer, vector }, result.intervened.zeroFinetuned],
    [base, { kind: 'remove', layer, vector }, result.intervened.zeroBase],
  ] as const) {
    const { mean: own } = await model.crossEntropy(causal.documents, { intervene });
    expect(Math.abs(own - mean(sums))).toBeLessThanOrEqual(1e-9);
  }
});

test.for(expectedCases)('%s: the divergence at every position is that of transformers', async (name) => {
  const { facts, tokens } = readExpected(name);
  const [base, finetuned] = await openPair(name);
  const texts = tokens.slice(0, 64);
  const { perToken, vocabulary } = await klDivergence(base, finetuned, texts);
  expect(vocabulary).toBe(base.spec.vocabSize);
  const means = facts.kl_ft_base.map(
    (_, position) => sum(perToken.map((row) => row[position]!)) / texts.length,
  );
  for (const [position, mean] of means.entries()) {
    const theirs = facts.kl_ft_base[position]!;
    const error = Math.abs(mean - theirs) / Math.max(1, theirs);
    expect(error, `position ${position}`).toBeLessThanOrEqual(perDivergence);
  }
});

const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};
