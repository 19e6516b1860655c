/** What a thing in a figure is drawn with, on a light page and on a dark one. */
interface Shade {
  class: string;
  property: 'fill' | 'stroke';
  light: string;
  dark: string;
}

const pairs = (of: string, light: string, dark: string): Shade[] => [
  { class: of, property: 'fill', light, dark },
  { class: `${of}-line`, property: 'stroke', light, dark },
];

/** Series are told apart by colour and by the shape of their marks; these hues keep apart for colour-blind eyes. */
const shades: readonly Shade[] = [
  ...pairs('surface', '#ffffff', '#0d1117'),
  ...pairs('ink', '#1f2328', '#e6edf3'),
  ...pairs('muted', '#59636e', '#9198a1'),
  ...pairs('rule', '#e3e6ea', '#262c36'),
  ...pairs('axis', '#a0a8b1', '#5a636e'),
  ...pairs('s0', '#1f6fd1', '#4a93ee'),
  ...pairs('s1', '#8b8f95', '#8a9099'),
  ...pairs('s2', '#d9621e', '#ee8247'),
  ...pairs('s3', '#10876f', '#35b597'),
  ...pairs('s4', '#9650b8', '#bb82da'),
  ...pairs('s5', '#b08a00', '#cfab2c'),
];

export const seriesClasses = ['s0', 's1', 's2', 's3', 's4', 's5'] as const;

const rules = (mode: 'light' | 'dark'): string =>
  shades.map((shade) => `.${shade.class}{${shade.property}:${shade[mode]}}`).join('');

/** The style of every figure. Whole rules twice, since not every renderer knows variables. */
export const style =
  'text{font-family:system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}' +
  '.no-fill{fill:none}' +
  `${rules('light')}@media(prefers-color-scheme:dark){${rules('dark')}}`;
