import { describe, expect, test } from 'vitest';
import { chooseScale, echoesOf, type ScaleReading } from '../../src/methods/patchscope-scale.ts';
import { identityPrompts } from '../../src/native/index.ts';
import { expectedCases } from '../harness/models.ts';
import { mean, median, scaleCases } from '../harness/readability.ts';

const never = () => false;
const list = (scale: number, tokens: Record<number, number>): ScaleReading => ({
  scale,
  tokens: Object.entries(tokens).map(([id, probability]) => ({
    tokenId: Number(id),
    text: ` t${id}`,
    probability,
  })),
});

describe('the score', () => {
  test('is the formula of its docstring', () => {
    const readings = [list(1, { 1: 0.5, 2: 0.2 }), list(2, { 1: 0.3, 3: 0.1 }), list(8, { 3: 0.2 })];
    const baseline = [list(1, { 2: 0.9 }), list(2, { 9: 1 }), list(8, { 3: 0.4 })];
    // Shares of the range of log scales, ln 8: half of ln 2, half of ln 8, half of ln 4.
    const [w1, w2, w3] = [1 / 6, 3 / 6, 2 / 6] as const;
    const { index, scores } = chooseScale(readings, baseline, never);
    const expected = [
      (w1 * (0.25 + 0.2) + w2 * 0.25) * (1 - 0.2 / 0.7),
      w1 * 0.25 + w2 * (0.25 + 0.1) + w3 * 0.1,
      0, // the baseline says the same there
    ];
    scores.forEach((score, s) => expect(score).toBeCloseTo(expected[s]!, 12));
    expect(index).toBe(1);
  });

  test('without a baseline leaves the distance out', () => {
    const { scores } = chooseScale([list(1, { 1: 0.2 }), list(2, { 1: 0.1 })], null, never);
    expect(scores[0]).toBeCloseTo(0.5 * 0.2 + 0.5 * 0.1, 12);
    expect(scores[1]).toBeCloseTo(0.5 * 0.1 + 0.5 * 0.1, 12);
  });

  test('does not count echoes', () => {
    const echo = (text: string | null) => text === ' t1';
    const readings = [list(1, { 1: 0.9 }), list(2, { 2: 0.1 }), list(4, { 1: 0.9, 2: 0.05 })];
    expect(chooseScale(readings, null, echo).index).toBe(1);
  });

  test('of equal scores the smallest scale is taken, and of no tokens none', () => {
    expect(chooseScale([list(1, { 1: 0.2 }), list(2, { 1: 0.2 })], null, never).index).toBe(0);
    expect(chooseScale([list(1, {}), list(2, {})], null, never)).toEqual({ index: null, scores: [0, 0] });
    expect(chooseScale([], null, never)).toEqual({ index: null, scores: [] });
    expect(chooseScale([list(3, { 1: 0.2 })], null, never)).toEqual({ index: 0, scores: [0.2] });
  });

  test('a scale without tokens among others scores 0', () => {
    expect(chooseScale([list(1, {}), list(2, { 1: 0.2 })], null, never)).toMatchObject({ index: 1 });
  });
});

test.each([
  [' ->', true],
  ['?', true],
  ['\n', true],
  ['', true],
  [null, true],
  [' man', true],
  ['ell', true],
  [' 42', true],
  ['→', true],
  [' bakery', false],
  [' blues', false],
  [' 7', false],
  [' 甘', false],
])('%j is an echo of the identity prompts: %s', (text, echo) =>
  expect(echoesOf(identityPrompts)(text)).toBe(echo),
);

describe('on the organisms', () => {
  const cases = expectedCases.flatMap(scaleCases);
  const chosen = (measure: 'shares' | 'weighted') => cases.map((one) => one[measure][one.chosen]!);
  const every = (measure: 'shares' | 'weighted', of: (values: number[]) => number) =>
    cases.map((one) => of(one[measure]));

  test.each([
    // Over 9 organisms × 5 positions; see docs/patchscope-scale.md.
    { measure: 'shares' as const, above: 0.03, ofBest: 0.75 },
    { measure: 'weighted' as const, above: 0.05, ofBest: 0.75 },
  ])('the chosen scale is readable by $measure', ({ measure, above, ofBest }) => {
    expect(cases).toHaveLength(45);
    expect(mean(chosen(measure)) - mean(every(measure, median))).toBeGreaterThan(above);
    expect(mean(chosen(measure))).toBeGreaterThan(ofBest * mean(every(measure, (all) => Math.max(...all))));
  });

  test('no scale for all of them would do better by probability', () => {
    const fixed = cases[0]!.scales.map((_, s) => mean(cases.map(({ weighted }) => weighted[s]!)));
    expect(mean(chosen('weighted'))).toBeGreaterThan(Math.max(...fixed));
  });

  test('for most it is at least the median scale and within two tokens of the best', () => {
    const share = (holds: (one: (typeof cases)[number]) => boolean) =>
      cases.filter(holds).length / cases.length;
    expect(share(({ shares, chosen }) => shares[chosen]! >= median(shares) - 1e-9)).toBeGreaterThan(0.85);
    expect(
      share(({ shares, chosen }) => shares[chosen]! >= Math.max(...shares) - 0.1 - 1e-9),
    ).toBeGreaterThan(0.75);
  });
});
