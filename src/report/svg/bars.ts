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
  /** Stands above the first row of a group; '' for none. */
  group: string;
  label: string;
  /** Below the label; '' for none. */
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
  /** Where bars begin, 0 by default, and how far the axis goes at least. */
  from?: number;
  to?: number;
  rows: readonly BarRow[];
}

const thickness = 9;
const between = 3;
const rowGap = 16;
const groupHeight = 24;
/** Of a label with its note, which need more than one bar. */
const labelHeight = 22;
const valueWidth = 52;

/** Rows of bars, one a series, with their intervals and single values, from 0 to the right. */
export function barChart({
  series,
  marks,
  axis,
  format,
  from = 0,
  to = 0.05,
  rows,
  ...heading
}: BarChart): string {
  const gutter = Math.max(
    60,
    ...rows.map(({ label, note }) => Math.max(widthOf(label, 12), widthOf(note, noteSize))),
  );
  const labels = Math.min(250, gutter);
  const left = leftMargin + labels + 12;
  const right = figureWidth - leftMargin - valueWidth;
  const all = rows.flatMap(({ bars }) =>
    bars.flatMap((bar) => (bar ? [bar.value, bar.interval?.high ?? bar.value, ...bar.rings] : [])),
  );
  const x = linearScale(niceTicks(Math.min(from, ...all), Math.max(to, ...all), 6), left, right);
  const lanes = series.length * (thickness + between) - between;
  const parts: string[] = [];
  let y = bodyTop;
  rows.forEach(({ group, label, note, bars }, r) => {
    if (group !== '' && group !== rows[r - 1]?.group) {
      const title = shortened(group, 11, figureWidth - 2 * leftMargin);
      parts.push(words(leftMargin, y + 14, title, { class: 'muted', bold: true, size: 11, halo: true }));
      y += groupHeight;
    }
    const height = note === '' ? lanes : Math.max(lanes, labelHeight);
    const top = y + (rowGap + height - lanes) / 2;
    y += height + rowGap;
    const middle = top + lanes / 2;
    const labelAt = middle + (note === '' ? 4 : -2);
    parts.push(words(left - 12, labelAt, shortened(label, 12, labels), { anchor: 'end' }));
    const small = { class: 'muted', anchor: 'end', size: noteSize } as const;
    if (note !== '') parts.push(words(left - 12, middle + 12, shortened(note, noteSize, labels), small));
    bars.forEach((bar, s) => {
      const of = series[s];
      if (!bar || !of) return;
      const lane = top + s * (thickness + between);
      const centre = lane + thickness / 2;
      parts.push(rightRounded(x(from), x(bar.value), lane, of.class));
      if (bar.interval) parts.push(whisker(x(bar.interval.low), x(bar.interval.high), centre));
      for (const ring of bar.rings) parts.push(ringAt(x(ring), centre, of.class));
      parts.push(
        words(figureWidth - leftMargin, centre + 4, format(bar.value), {
          ...small,
          class: s === 0 ? 'ink' : 'muted',
        }),
      );
    });
  });
  const grid = x.ticks.flatMap((tick) => [
    element('line', {
      ...{ x1: x(tick), x2: x(tick), y1: bodyTop - 6, y2: y },
      class: tick === from ? 'axis-line' : 'rule-line',
    }),
    words(x(tick), y + 16, format(tick), { class: 'muted', anchor: 'middle', size: 11 }),
  ]);
  const name = words((left + right) / 2, y + 36, axis, { class: 'muted', anchor: 'middle' });
  const swatches = series.map((one) => ({ ...one, shape: 'square' as const }));
  return figure(heading, swatches, marks, y + 52, [...grid, ...parts, name]);
}

const noteSize = 10.5;

const ringAt = (x: number, y: number, of: string): string =>
  element('circle', { cx: x, cy: y, r: 3, class: `surface ${of}-line`, 'stroke-width': 1.5 });

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
