import {
  addCoincidences,
  addTo,
  alphaOfCoincidences,
  kappaOfTable,
  type Scale,
  squareTable,
  type SquareTable,
} from './agreement.ts';
import { bootstrapInterval, type BootstrapOptions, type Interval } from './statistics.ts';

/** What one grader said of one item. */
export interface Judgement {
  rater: string;
  /** What was graded as a whole, as one token list: its items are no independent draws. */
  subject: string;
  item: string;
  /** Numbers: amounts for INTERVAL, ranks for ORDINAL, names for NOMINAL. */
  label: number;
}

/** A coefficient over items that several graders judged, with its interval over subjects. */
export interface Coefficient {
  value: number | null;
  interval: Interval | null;
  subjects: number;
  items: number;
}

export interface Agreement {
  raters: string[];
  /** Cohen's kappa of every two graders that share an item; only of names. */
  pairs: { raters: [string, string]; kappa: Coefficient }[];
  /** Krippendorff's alpha of all of them. */
  alpha: Coefficient;
}

/** Enough for two digits; every resample adds up tables. */
const resamples = 2000;

/**
 * How far graders agree about what more than one of them judged. Intervals are percentile bootstraps that draw whole subjects.
 * @param judgements at most one a grader and item
 */
export function agreementBetween(
  judgements: readonly Judgement[],
  scale: Scale,
  options: BootstrapOptions = {},
): Agreement {
  const raters = [...new Set(judgements.map(({ rater }) => rater))].sort();
  const values = [...new Set(judgements.map(({ label }) => label))].sort((a, b) => a - b);
  const index = new Map(values.map((value, i) => [value, i]));
  /** [subject][item][rater] */
  const subjects = new Map<string, Map<string, Map<string, number>>>();
  for (const { rater, subject, item, label } of judgements) {
    const items = subjects.get(subject) ?? new Map<string, Map<string, number>>();
    const labels = items.get(item) ?? new Map<string, number>();
    labels.set(rater, index.get(label) as number);
    subjects.set(subject, items.set(item, labels));
  }
  const coefficient = (
    among: readonly string[],
    add: (table: SquareTable, labels: number[]) => void,
    of: (table: SquareTable) => number | null,
  ): Coefficient => {
    const tables = [...subjects.values()].flatMap((items) => {
      const shared = [...items.values()]
        .map((labels) => among.flatMap((rater) => labels.get(rater) ?? []))
        .filter(({ length }) => length >= 2);
      const table = squareTable(values.length);
      for (const labels of shared) add(table, labels);
      return shared.length === 0 ? [] : [{ table, items: shared.length }];
    });
    return {
      value: tables.length === 0 ? null : of(total(tables)),
      interval: bootstrapInterval(tables, (sample) => of(total(sample)) ?? NaN, { resamples, ...options }),
      subjects: tables.length,
      items: tables.reduce((sum, { items }) => sum + items, 0),
    };
  };
  const pairs = raters.flatMap((a, i) => raters.slice(i + 1).map((b): [string, string] => [a, b]));
  return {
    raters,
    pairs:
      scale === 'NOMINAL'
        ? pairs
            .map((both) => ({
              raters: both,
              kappa: coefficient(
                both,
                (table, [own = 0, other = 0]) => addTo(table, values.length, own, other, 1),
                (table) => kappaOfTable(table, values.length),
              ),
            }))
            .filter(({ kappa }) => kappa.items > 0)
        : [],
    alpha: coefficient(
      raters,
      (table, labels) => addCoincidences(table, values.length, labels),
      (table) => alphaOfCoincidences(table, values, scale),
    ),
  };
}

function total(tables: readonly { table: SquareTable }[]): SquareTable {
  const sum = Float64Array.from(tables[0]?.table ?? []);
  for (const { table } of tables.slice(1)) table.forEach((count, i) => (sum[i] = (sum[i] ?? 0) + count));
  return sum;
}
