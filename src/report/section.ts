import type { Facts } from './facts.ts';

/** A figure as a file of the report. */
export interface FigureFile {
  /** Without its ending: words with dashes. */
  name: string;
  svg: string;
}

/** A part of the report. */
export interface Part {
  title: string;
  /** Paragraphs and tables, without the heading. */
  markdown: string[];
  figures: FigureFile[];
}

/** Makes a part of what a store has; null where it has nothing to tell of. A section is one file here and one line in index.ts. */
export type Section = (facts: Facts) => Part | null;
