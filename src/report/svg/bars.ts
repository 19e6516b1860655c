import { element, number, shortened, widthOf, words } from './element.ts';
import { bodyTop, figure, figureWidth, type Heading, leftMargin, type Series } from './figure.ts';
import { linearScale, niceTicks } from './scale.ts';

export interface Bar {
  value: number;
  /** Of the value. */
  interval: { low: number; high: number } | null;
  /** Single values behind it, or beside it, each drawn as a ring. */
  rings: readonly number[];
}

export interface BarRow {
  label: string;
  note: string;
  /** [series]; null for one that is not there. */
  bars: readonly (Bar | null)[];
}

export interface BarChart extends Heading {
  series: readonly Series[];
  /** In words, what bar, line and ring stand for. */
  marks: string;
  /** What the axis says, with the unit. */
  axis: string;
  format: (value: number) => string;
  rows: readonly BarRow[];
}

const thickness = 9;
const between = 3;
const rowGap = 16;

/** Rows of bars, one a series, with their intervals and single values, from 0 to the right. */
export function barChart({ series, marks, axis, format, rows, ...heading }: BarChart): string {
  const labels = Math.min(
    270,
    Math.max(60, ...rows.map(({ label, note }) => widthOf(label, 12) + widthOf(note, 11) * 0)),
  );
  const left = leftMargin + labels + 12;
  const right = figureWidth - 64;
  const all = rows.flatMap(({ bars }) =>
    bars.flatMap((bar) => (bar ? [bar.value, bar.interval?.high ?? 0, ...bar.rings] : [])),
  );
  const x = linearScale(niceTicks(Math.min(0, ...all), Math.max(0.05, ...all), 6), left, right);
  const rowHeight = series.length * (thickness + between) + rowGap;
  const bottom = bodyTop + rows.length * rowHeight;
  const parts = x.ticks.flatMap((tick) => [
    element('line', {
      x1: x(tick),
      x2: x(tick),
      y1: bodyTop - 6,
      y2: bottom,
      class: tick === 0 ? 'axis-line' : 'rule-line',
    }),
    words(x(tick), bottom + 16, format(tick), { class: 'muted', anchor: 'middle', size: 11 }),
  ]);
  parts.push(words((left + right) / 2, bottom + 36, axis, { class: 'muted', anchor: 'middle' }));
  rows.forEach(({ label, note, bars }, r) => {
    const top = bodyTop + r * rowHeight + rowGap / 2;
    const middle = top + (series.length * (thickness + between) - between) / 2;
    parts.push(
      words(left - 12, middle + (note === '' ? 4 : -1), shortened(label, 12, labels), { anchor: 'end' }),
    );
    if (note !== '')
      parts.push(
        words(left - 12, middle + 12, shortened(note, 10.5, labels), {
          class: 'muted',
          anchor: 'end',
          size: 10.5,
        }),
      );
    bars.forEach((bar, s) => {
      const of = series[s];
      if (!bar || !of) return;
      const y = top + s * (thickness + between);
      const centre = y + thickness / 2;
      parts.push(rightRounded(x(0), x(bar.value), y, of.class));
      const { interval } = bar;
      if (interval) parts.push(whisker(x(interval.low), x(interval.high), centre));
      for (const ring of bar.rings)
        parts.push(
          element('circle', {
            cx: x(ring),
            cy: centre,
            r: 3,
            class: `surface ${of.class}-line`,
            'stroke-width': 1.5,
          }),
        );
      const end = Math.max(
        x(bar.value),
        interval ? x(interval.high) : 0,
        ...bar.rings.map((ring) => x(ring) + 3),
      );
      parts.push(
        words(end + 7, centre + 4, format(bar.value), { class: s === 0 ? 'ink' : 'muted', size: 11 }),
      );
    });
  });
  return figure(heading, series, marks, bottom + 52, parts);
}

/** A bar whose far end is round; nothing for no length. */
function rightRounded(from: number, to: number, y: number, of: string): string {
  const length = to - from;
  if (Math.abs(length) < 0.5)
    return element('rect', { x: from - 0.75, y, width: 1.5, height: thickness, class: of });
  const r = Math.min(3, Math.abs(length)) * Math.sign(length);
  const bow = Math.abs(r);
  const d = `M${number(from)} ${number(y)}H${number(to - r)}q${number(r)} 0 ${number(r)} ${number(bow)}V${number(y + thickness - bow)}q0 ${number(bow)} ${number(-r)} ${number(bow)}H${number(from)}Z`;
  return element('path', { d, class: of });
}

const whisker = (low: number, high: number, y: number): string =>
  element('path', {
    d: `M${number(low)} ${number(y - 3)}v6m0-3H${number(high)}m0-3v6`,
    class: 'ink-line no-fill',
    'stroke-width': 1.25,
  });
