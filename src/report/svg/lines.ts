import { element, number, shortened, words } from './element.ts';
import { bodyTop, figure, figureWidth, type Heading, leftMargin, mark, type Series } from './figure.ts';
import { linearScale, niceTicks } from './scale.ts';

export interface Point {
  x: number;
  y: number;
  interval: { low: number; high: number } | null;
}

export interface Panel {
  title: string;
  /** [series][point], by rising x. */
  lines: readonly (readonly Point[])[];
}

export interface LineChart extends Heading {
  series: readonly Series[];
  /** In words, what point and line stand for. */
  marks: string;
  panels: readonly Panel[];
  columns: number;
  x: { axis: string; format: (value: number) => string; ticks?: number[] };
  y: { axis: string; format: (value: number) => string };
}

const gap = 28;
const titleHeight = 22;

/** Panels of lines over the same axes, so that they can be compared; each has its ticks. */
export function lineChart({
  series,
  marks,
  panels,
  columns: wanted,
  x: across,
  y: up,
  ...heading
}: LineChart): string {
  const columns = Math.max(1, Math.min(wanted, panels.length));
  const labelWidth = 44;
  const inset = columns > 2 ? 6 : 16;
  const left = leftMargin + 20;
  const width = (figureWidth - left - leftMargin - (columns - 1) * gap) / columns - labelWidth;
  const height = columns === 1 ? 230 : columns === 2 ? 190 : 110;
  const points = panels.flatMap(({ lines }) => lines.flat());
  const ys = points.flatMap(({ y, interval }) => [y, interval?.low ?? y, interval?.high ?? y]);
  const xs = points.map(({ x }) => x);
  const xTicks = across.ticks ?? niceTicks(Math.min(...xs), Math.max(...xs), columns > 2 ? 3 : 5);
  const yTicks = niceTicks(Math.min(0, ...ys), Math.max(0.05, ...ys), columns > 2 ? 4 : 5);
  const rows = Math.ceil(panels.length / columns);
  const rowHeight = titleHeight + height + 34;
  const bottom = bodyTop + rows * rowHeight;
  const parts = panels.flatMap((panel, i) => {
    const x0 = left + labelWidth + (i % columns) * (labelWidth + width + gap);
    const y0 = bodyTop + Math.floor(i / columns) * rowHeight + titleHeight;
    return drawPanel(panel, { x0, y0, width, height });
  });

  function drawPanel(
    { title, lines }: Panel,
    at: { x0: number; y0: number; width: number; height: number },
  ): string[] {
    const { x0, y0 } = at;
    const x = linearScale(xTicks, x0 + inset, x0 + at.width - inset);
    const y = linearScale(yTicks, y0 + at.height, y0);
    const frame = y.ticks.flatMap((tick) => [
      element('line', {
        x1: x0,
        x2: x0 + at.width,
        y1: y(tick),
        y2: y(tick),
        class: tick === 0 ? 'axis-line' : 'rule-line',
      }),
      words(x0 - 7, y(tick) + 4, up.format(tick), { class: 'muted', anchor: 'end', size: 11 }),
    ]);
    const feet = x.ticks.flatMap((tick) => [
      element('line', {
        x1: x(tick),
        x2: x(tick),
        y1: y0 + at.height,
        y2: y0 + at.height + 4,
        class: 'axis-line',
      }),
      words(x(tick), y0 + at.height + 17, across.format(tick), {
        class: 'muted',
        anchor: 'middle',
        size: 11,
      }),
    ]);
    const drawn = lines.flatMap((line, s) => {
      const of = series[s];
      if (!of || line.length === 0) return [];
      // Series stand a little beside each other, so that their intervals can be told apart.
      const beside = (s - (series.length - 1) / 2) * (columns > 2 ? 3 : 5);
      const px = (point: Point) => x(point.x) + beside;
      const path = line
        .map((point, i) => `${i === 0 ? 'M' : 'L'}${number(px(point))} ${number(y(point.y))}`)
        .join('');
      return [
        ...line.flatMap((point) =>
          point.interval
            ? [
                element('line', {
                  ...{ x1: px(point), x2: px(point), y1: y(point.interval.low), y2: y(point.interval.high) },
                  ...{ class: `${of.class}-line`, 'stroke-width': 1.5, 'stroke-opacity': 0.55 },
                }),
              ]
            : [],
        ),
        element('path', {
          d: path,
          class: `${of.class}-line no-fill`,
          'stroke-width': 2,
          'stroke-linejoin': 'round',
        }),
        ...line.map((point) => mark(of, px(point), y(point.y), columns > 2 ? 3.5 : 4.5)),
      ];
    });
    const name =
      title === '' ? [] : [words(x0, y0 - 9, shortened(title, 11, at.width), { bold: true, size: 11 })];
    return [...frame, ...feet, ...drawn, ...name];
  }

  const middle = bodyTop + titleHeight + (rows * rowHeight - titleHeight - 34) / 2;
  parts.push(words(leftMargin + 10, middle, up.axis, { class: 'muted', anchor: 'middle', turn: -90 }));
  parts.push(words(figureWidth / 2 + 20, bottom + 8, across.axis, { class: 'muted', anchor: 'middle' }));
  return figure(heading, series, marks, bottom + 24, parts);
}
