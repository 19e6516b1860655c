/** How far apart two labels are, by their kind of scale. */
export type Scale = 'NOMINAL' | 'ORDINAL' | 'INTERVAL';

/**
 * Cohen's kappa of two graders' labels (Cohen 1960): (p_o − p_e) / (1 − p_e), with p_o the share of equal labels and p_e the share that
 * their label frequencies alone would make equal.
 * @param pairs one an item that both judged
 * @returns −1 to 1; null without items, and where both say the same label of everything, which shows nothing
 */
export function cohensKappa<Label>(pairs: readonly (readonly [Label, Label])[]): number | null {
  const labels = [...new Set(pairs.flat())];
  const table = squareTable(labels.length);
  const index = new Map(labels.map((label, i) => [label, i]));
  for (const [a, b] of pairs) addTo(table, labels.length, index.get(a) ?? 0, index.get(b) ?? 0, 1);
  return kappaOfTable(table, labels.length);
}

/** Counts of pairs of labels, [size][size] row by row. */
export type SquareTable = Float64Array;
export const squareTable = (size: number): SquareTable => new Float64Array(size * size);
export const addTo = (
  table: SquareTable,
  size: number,
  row: number,
  column: number,
  weight: number,
): void => {
  table[row * size + column] = (table[row * size + column] ?? 0) + weight;
};

/** The same from how often each pair of labels came: rows one grader's, columns the other's. */
export function kappaOfTable(table: SquareTable, size: number): number | null {
  const [rows, columns] = [new Float64Array(size), new Float64Array(size)];
  let [n, equal] = [0, 0];
  table.forEach((count, i) => {
    const [row, column] = [Math.floor(i / size), i % size];
    rows[row] = (rows[row] ?? 0) + count;
    columns[column] = (columns[column] ?? 0) + count;
    n += count;
    if (row === column) equal += count;
  });
  const expected = rows.reduce((sum, count, i) => sum + (count / n) * ((columns[i] ?? 0) / n), 0);
  const kappa = (equal / n - expected) / (1 - expected);
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
  const coincidences = squareTable(values.length);
  for (const unit of units)
    addCoincidences(
      coincidences,
      values.length,
      unit.map((value) => index.get(value) as number),
    );
  return alphaOfCoincidences(coincidences, values, scale);
}

/** Adds the labels of one item: every ordered pair within it, weighted so that an item counts as its labels. */
export function addCoincidences(table: SquareTable, size: number, unit: readonly number[]): void {
  unit.forEach((a, i) => {
    unit.forEach((b, j) => {
      if (i !== j) addTo(table, size, a, b, 1 / (unit.length - 1));
    });
  });
}

/** The same from the coincidences of rising values. */
export function alphaOfCoincidences(
  coincidences: SquareTable,
  values: readonly number[],
  scale: Scale,
): number | null {
  const size = values.length;
  const totals = values.map((_, a) =>
    coincidences.subarray(a * size, (a + 1) * size).reduce((x, y) => x + y, 0),
  );
  const all = totals.reduce((sum, count) => sum + count, 0);
  const distance = distances(values, totals, scale);
  let [observed, expected] = [0, 0];
  for (let a = 0; a < size; a++)
    for (let b = 0; b < size; b++) {
      observed += (coincidences[a * size + b] ?? 0) * distance(a, b);
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
