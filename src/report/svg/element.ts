import { plain } from '../../lib/plain.ts';

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text from anywhere, ready to stand in SVG: nothing in it is markup, an order to a renderer, or unseen. */
export const escapeXml = (text: string): string => plain(text).replace(/[&<>"']/g, (c) => entities[c] ?? c);

/** Hundredths of a pixel are enough, and the same bytes on every machine. */
export const number = (value: number): string => String(Math.round(value * 100) / 100 || 0);

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element. Attributes are escaped; children are markup already, see `words`. */
export function element(name: string, attributes: Attributes = {}, children: readonly string[] = []): string {
  const given = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? number(value) : escapeXml(value ?? '')}"`)
    .join('');
  return children.length === 0 ? `<${name}${given}/>` : `<${name}${given}>${children.join('')}</${name}>`;
}

export interface WordStyle {
  /** Of the theme. */
  class?: string;
  anchor?: 'start' | 'middle' | 'end';
  size?: number;
  bold?: boolean;
  /** A rim of the page's colour, where lines cross the text. */
  halo?: boolean;
  /** Degrees about the point. */
  turn?: number;
}

/** Text at a point, its base line there. */
export const words = (
  x: number,
  y: number,
  text: string,
  { class: of = 'ink', anchor = 'start', size = 12, bold = false, halo = false, turn }: WordStyle = {},
): string =>
  element(
    'text',
    {
      x,
      y,
      class: halo ? `${of} surface-line` : of,
      'stroke-width': halo ? 4 : undefined,
      'paint-order': halo ? 'stroke' : undefined,
      'text-anchor': anchor === 'start' ? undefined : anchor,
      'font-size': size,
      'font-weight': bold ? 600 : undefined,
      transform: turn === undefined ? undefined : `rotate(${number(turn)} ${number(x)} ${number(y)})`,
    },
    [escapeXml(text)],
  );

/** About how wide a text is, in pixels: renderers have no fonts in common. */
export const widthOf = (text: string, size: number): number => [...plain(text)].length * size * 0.6;

/** A text that is about so wide at most: its beginning and its end, since names often differ there. */
export function shortened(text: string, size: number, width: number): string {
  const characters = [...plain(text)];
  const most = Math.max(3, Math.floor(width / (size * 0.6)));
  if (characters.length <= most) return characters.join('');
  const tail = Math.floor((most - 1) / 2);
  return [...characters.slice(0, most - 1 - tail), '…', ...characters.slice(characters.length - tail)].join(
    '',
  );
}
