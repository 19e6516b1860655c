import type { ProjectionVariant } from '../db/index.ts';
import type { Series } from './svg/figure.ts';

/** The three vectors that are read, always in this order and these colours. */
export const variants: readonly { variant: ProjectionVariant; series: Series }[] = [
  { variant: 'DIFF', series: { name: 'difference', class: 's0', shape: 'circle' } },
  { variant: 'BASE', series: { name: 'base mean', class: 's1', shape: 'square' } },
  { variant: 'FINETUNED', series: { name: 'finetuned mean', class: 's2', shape: 'diamond' } },
];

export const variantSeries = variants.map(({ series }) => series);
