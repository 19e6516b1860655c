/** How far apart two labels are, by their kind of scale. */
export type Scale = 'NOMINAL' | 'ORDINAL' | 'INTERVAL';

/**
 * Cohen's kappa of two graders' labels (Cohen 1960): (p_o − p_e) / (1 − p_e), with p_o the share of equal labels and p_e the share that
 * their label frequencies alone would make equal.
 * @param pairs one an item that both judged
 * @returns −1 to 1; null without items, and where both say the same label of everything, which shows nothing
 */
export function cohensKappa<Label>(pairs: readonly (readonly [Label, Label])[]): number | null {
  const n = pairs.length;
  const [own, other] = [0, 1].map((side) => {
    const counts = new Map<Label, number>();
    for (const pair of pairs) {
      const label = pair[side] as Label;
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    return counts;
  }) as [Map<Label, number>, Map<Label, number>];
  const observed = pairs.filter(([a, b]) => a === b).length / n;
  let expected = 0;
  for (const [label, count] of own) expected += (count / n) * ((other.get(label) ?? 0) / n);
  const kappa = (observed - expected) / (1 - expected);
  return Number.isFinite(kappa) ? kappa : null;
}

/**
 * Krippendorff's alpha (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"): 1 − D_o / D_e, the disagreement within items over that
 * between any two labels. For any number of graders, with labels missing anywhere.
 * @param labels [grader][item]; null where a grader gave none. Numbers: ranks for ORDINAL, amounts for INTERVAL, names for NOMINAL
 * @returns at most 1; null where fewer than two labels can be compared, or all are equal, which shows nothing
 */
export function krippendorffsAlpha(
  labels: readonly (readonly (number | null)[])[],
  scale: Scale,
): number | null {
  const items = Math.max(0, ...labels.map(({ length }) => length));
  const units = Array.from({ length: items }, (_, item) =>
    labels.map((of) => of[item] ?? null).filter((label) => label !== null),
  ).filter(({ length }) => length >= 2);
  const values = [...new Set(units.flat())].sort((a, b) => a - b);
  const index = new Map(values.map((value, i) => [value, i]));
  const at = (value: number) => index.get(value) as number;

  // Coincidences: every ordered pair within an item, weighted so that an item counts as its labels.
  const coincidences = values.map(() => values.map(() => 0));
  for (const unit of units)
    unit.forEach((a, i) => {
      unit.forEach((b, j) => {
        if (i === j) return;
        const row = coincidences[at(a)] as number[];
        row[at(b)] = (row[at(b)] ?? 0) + 1 / (unit.length - 1);
      });
    });
  const totals = coincidences.map((row) => row.reduce((sum, count) => sum + count, 0));
  const all = totals.reduce((sum, count) => sum + count, 0);
  const distance = distances(values, totals, scale);

  let [observed, expected] = [0, 0];
  for (let a = 0; a < values.length; a++)
    for (let b = 0; b < values.length; b++) {
      observed += (coincidences[a]?.[b] ?? 0) * distance(a, b);
      expected += ((totals[a] ?? 0) * (totals[b] ?? 0) * distance(a, b)) / (all - 1);
    }
  const alpha = 1 - observed / expected;
  return Number.isFinite(alpha) ? alpha : null;
}

/** Squared distance between the values of two indices. */
function distances(values: readonly number[], totals: readonly number[], scale: Scale) {
  const value = (i: number) => values[i] ?? NaN;
  const total = (i: number) => totals[i] ?? NaN;
  switch (scale) {
    case 'NOMINAL':
      return (a: number, b: number) => Number(a !== b);
    case 'INTERVAL':
      return (a: number, b: number) => (value(a) - value(b)) ** 2;
    case 'ORDINAL':
      return (a: number, b: number) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        let between = 0;
        for (let i = low; i <= high; i++) between += total(i);
        return (between - (total(low) + total(high)) / 2) ** 2;
      };
  }
}
