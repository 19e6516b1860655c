import { element, escapeXml, shortened, widthOf, words } from './element.ts';
import { style } from './theme.ts';

/** A series as a legend names it. */
export interface Series {
  name: string;
  /** Of the theme's series. */
  class: string;
  shape: Shape;
}
export type Shape = 'circle' | 'square' | 'diamond' | 'triangle';

export interface Heading {
  /** Names the file, too: words with dashes. */
  name: string;
  title: string;
  /** One line below the title: what is drawn, of what, in which unit. */
  subtitle: string;
  /** For readers who do not see the figure: what it shows, in a sentence or two. */
  description: string;
}

export const figureWidth = 760;
const margin = 16;
/** Where the body of a figure with a legend begins. */
export const bodyTop = 92;

/** A whole SVG file. `body` begins at `bodyTop`. A single series needs no legend: the title names it. */
export function figure(
  heading: Heading,
  series: readonly Series[],
  marks: string,
  height: number,
  body: readonly string[],
): string {
  const { name, title, subtitle, description } = heading;
  const root = {
    xmlns: 'http://www.w3.org/2000/svg',
    width: figureWidth,
    height,
    viewBox: `0 0 ${figureWidth} ${Math.round(height)}`,
    role: 'img',
    'aria-labelledby': `${name}-title ${name}-description`,
  };
  const room = figureWidth - 2 * margin;
  return `${element('svg', root, [
    element('title', { id: `${name}-title` }, [escapeXml(title)]),
    element('desc', { id: `${name}-description` }, [escapeXml(description)]),
    `<style>${style}</style>`,
    element('rect', { width: figureWidth, height, class: 'surface', rx: 6 }),
    words(margin, 30, shortened(title, 16, room), { size: 16, bold: true }),
    words(margin, 49, shortened(subtitle, 12, room), { class: 'muted' }),
    legend(series, marks),
    ...body,
  ])}\n`;
}

/** Names of the series, and what the marks mean. */
function legend(series: readonly Series[], marks: string): string {
  let x = margin;
  const y = 70;
  const parts = (series.length < 2 ? [] : series).flatMap((one) => {
    const at = x;
    x += 27 + widthOf(one.name, 12);
    return [mark(one, at + 5, y - 4, 5), words(at + 15, y, one.name)];
  });
  if (marks !== '')
    parts.push(
      words(figureWidth - margin, y, shortened(marks, 11, figureWidth - margin - x), {
        ...{ class: 'muted', anchor: 'end', size: 11 },
      }),
    );
  return parts.join('');
}

/** The mark of a series at a point, `radius` pixels, with a rim that keeps overlapping marks apart. */
export function mark(
  { class: of, shape }: Pick<Series, 'class' | 'shape'>,
  x: number,
  y: number,
  radius: number,
): string {
  const attributes = { class: `${of} surface-line`, 'stroke-width': 1.5 };
  const path = (points: readonly [number, number][]) =>
    element('path', {
      ...attributes,
      d: `M${points.map(([dx, dy]) => `${Math.round(100 * (x + dx)) / 100} ${Math.round(100 * (y + dy)) / 100}`).join('L')}Z`,
    });
  switch (shape) {
    case 'circle':
      return element('circle', { ...attributes, cx: x, cy: y, r: radius });
    case 'square':
      return element('rect', {
        ...attributes,
        x: x - 0.88 * radius,
        y: y - 0.88 * radius,
        width: 1.76 * radius,
        height: 1.76 * radius,
      });
    case 'diamond':
      return path([
        [0, -1.25 * radius],
        [1.25 * radius, 0],
        [0, 1.25 * radius],
        [-1.25 * radius, 0],
      ]);
    case 'triangle':
      return path([
        [0, -1.2 * radius],
        [1.15 * radius, 0.9 * radius],
        [-1.15 * radius, 0.9 * radius],
      ]);
  }
}

export const leftMargin = margin;
