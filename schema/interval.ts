import type { Interval } from '../src/graders/statistics.ts';
import { builder, type GraphContext } from './builder.ts';
import { spend } from './spend.ts';

/** What an interval takes, and what it takes more for each number. */
export const intervalCost = 200;
const costOfNumber = 10;

export const intervalRule =
  '95 % percentile bootstrap interval of the mean, 10,000 resamples of seed 0: the same numbers give the same interval. Null below two numbers, and where all are alike: neither says how far the mean may be off.';

/** Computed when it is asked for. */
export function intervalOf(
  of: { interval: Interval | null },
  count: number,
  context: GraphContext,
): Interval | null {
  spend(context, intervalCost + costOfNumber * count);
  return of.interval;
}

export const IntervalRef = builder.objectRef<Interval>('Interval').implement({
  description: 'Where a number lies with a stated probability.',
  fields: (t) => ({
    low: t.exposeFloat('low', { description: 'Its lower end, in the unit of the number.' }),
    high: t.exposeFloat('high', { description: 'Its upper end, in the unit of the number.' }),
  }),
});
