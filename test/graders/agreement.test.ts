import { describe, expect, test } from 'vitest';
import { type Judgement, agreementBetween } from '../../src/graders/agreement-between.ts';
import { cohensKappa, krippendorffsAlpha } from '../../src/graders/agreement.ts';

describe("Cohen's kappa", () => {
  const table = (rows: [string, string, number][]) =>
    rows.flatMap(([a, b, count]) => Array.from({ length: count }, (): [string, string] => [a, b]));

  test('of 50 grant proposals that two readers accept or reject: 0.40', () => {
    // The textbook example: both yes 20, only the first 5, only the second 10, both no 15; p_o 0.7, p_e 0.5.
    const pairs = table([
      ['yes', 'yes', 20],
      ['yes', 'no', 5],
      ['no', 'yes', 10],
      ['no', 'no', 15],
    ]);
    expect(cohensKappa(pairs)).toBeCloseTo(0.4, 12);
  });

  test('of 200 items and three labels, by hand: 0.492', () => {
    const pairs = table([
      ['1', '1', 88],
      ['1', '2', 14],
      ['1', '3', 18],
      ['2', '1', 10],
      ['2', '2', 40],
      ['2', '3', 10],
      ['3', '1', 2],
      ['3', '2', 6],
      ['3', '3', 12],
    ]);
    // p_o = 140/200 = 0.70, p_e = (120·100 + 60·60 + 20·40)/200² = 0.41
    expect(cohensKappa(pairs)).toBeCloseTo((0.7 - 0.41) / 0.59, 12);
  });

  test('is 1 for equals, negative below chance, and nothing where nothing can be seen', () => {
    expect(
      cohensKappa([
        ['a', 'a'],
        ['b', 'b'],
      ]),
    ).toBe(1);
    expect(
      cohensKappa([
        ['a', 'b'],
        ['b', 'a'],
      ]),
    ).toBe(-1);
    expect(
      cohensKappa([
        ['a', 'a'],
        ['a', 'a'],
      ]),
    ).toBeNull();
    expect(cohensKappa([])).toBeNull();
  });

  test('does not depend on who is first', () => {
    const pairs = table([
      ['a', 'a', 3],
      ['a', 'b', 2],
      ['b', 'c', 1],
      ['c', 'c', 4],
    ]);
    expect(cohensKappa(pairs.map(([a, b]) => [b, a]))).toBeCloseTo(cohensKappa(pairs)!, 12);
  });
});

describe("Krippendorff's alpha", () => {
  const _ = null;
  // Krippendorff 2011, section C: four observers, twelve units, some values missing.
  const reliability = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
  ];

  test.each([
    ['NOMINAL', 0.743],
    ['ORDINAL', 0.815],
    ['INTERVAL', 0.849],
  ] as const)('of Krippendorff’s four observers, %s: %d', (scale, alpha) =>
    expect(krippendorffsAlpha(reliability, scale)).toBeCloseTo(alpha, 3),
  );

  test('of two observers and binary data: 0.095', () => {
    // Krippendorff 2011, section A: ten units.
    const meg = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0];
    const owen = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0];
    expect(krippendorffsAlpha([meg, owen], 'NOMINAL')).toBeCloseTo(0.095, 3);
    expect(krippendorffsAlpha([owen, meg], 'INTERVAL')).toBeCloseTo(0.095, 3); // two values: any scale
    expect(krippendorffsAlpha([owen, meg], 'ORDINAL')).toBeCloseTo(0.095, 3);
  });

  test('of two observers and five nominal values: 0.692', () => {
    // Krippendorff 2011, section B: twelve articles, a to e.
    const of = (letters: string) => [...letters].map((letter) => letter.charCodeAt(0));
    expect(krippendorffsAlpha([of('aabbdccceddd'), of('babbbcccedda')], 'NOMINAL')).toBeCloseTo(0.692, 3);
  });

  test('is 1 for equals, and nothing where nothing can be compared', () => {
    expect(
      krippendorffsAlpha(
        [
          [1, 2],
          [1, 2],
        ],
        'ORDINAL',
      ),
    ).toBe(1);
    expect(
      krippendorffsAlpha(
        [
          [1, 1],
          [1, 1],
        ],
        'NOMINAL',
      ),
    ).toBeNull();
    expect(
      krippendorffsAlpha(
        [
          [1, _],
          [_, 2],
        ],
        'INTERVAL',
      ),
    ).toBeNull();
    expect(krippendorffsAlpha([], 'NOMINAL')).toBeNull();
  });
});

describe('agreement between graders of shared things', () => {
  const say = (rater: string, subject: string, labels: (number | null)[]): Judgement[] =>
    labels.flatMap((label, i) => (label === null ? [] : [{ rater, subject, item: String(i), label }]));
  const judgements = [
    ...say('a', 'one', [1, 1, 0, 0, null]),
    ...say('b', 'one', [1, 0, 0, 0, 1]),
    ...say('a', 'two', [1, 0, 1, 0]),
    ...say('b', 'two', [1, 0, 1, 1]),
    ...say('c', 'two', [0, 0, null, null]),
    ...say('c', 'three', [1, 1]),
  ];

  test('is that of their shared items, with n; what one alone judged counts for nothing', () => {
    const { raters, pairs, alpha } = agreementBetween(judgements, 'NOMINAL');
    expect(raters).toEqual(['a', 'b', 'c']);
    expect(pairs.map(({ raters: both, kappa }) => [...both, kappa.items, kappa.subjects])).toEqual([
      ['a', 'b', 8, 2],
      ['a', 'c', 2, 1],
      ['b', 'c', 2, 1],
    ]);
    const shared: [number, number][] = [
      [1, 1],
      [1, 0],
      [0, 0],
      [0, 0],
      [1, 1],
      [0, 0],
      [1, 1],
      [0, 1],
    ];
    expect(pairs[0]!.kappa.value).toBe(cohensKappa(shared));
    expect(pairs[0]!.kappa.value).toBeCloseTo(0.5, 12); // 6 of 8 equal, 4 of 8 by chance
    expect(pairs[1]!.kappa.interval).toBeNull();
    expect([alpha.items, alpha.subjects]).toEqual([8, 2]);
    expect(alpha.value).toBeCloseTo(
      krippendorffsAlpha(
        [
          [1, 1, 0, 0, 1, 0, 1, 0],
          [1, 0, 0, 0, 1, 0, 1, 1],
          [null, null, null, null, 0, 0, null, null],
        ],
        'NOMINAL',
      )!,
      12,
    );
  });

  test('has an interval over subjects, the same every time, that holds the value', () => {
    const many = Array.from({ length: 30 }, (_, s) => [
      ...say('a', `s${s}`, [s % 2, 0, 1]),
      ...say('b', `s${s}`, [s % 3 ? s % 2 : 1, 0, 1]),
    ]).flat();
    const [first, second] = [agreementBetween(many, 'NOMINAL'), agreementBetween(many, 'NOMINAL')];
    expect(first).toEqual(second);
    const { value, interval } = first.pairs[0]!.kappa;
    expect(interval!.low).toBeLessThan(value!);
    expect(interval!.high).toBeGreaterThan(value!);
    expect(interval!.high).toBeLessThanOrEqual(1);
  });

  test('of amounts has no kappa', () =>
    expect(agreementBetween(judgements, 'INTERVAL')).toMatchObject({ pairs: [], alpha: { items: 8 } }));
});
