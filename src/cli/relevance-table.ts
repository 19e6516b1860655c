import type { ProjectionVariant, Store } from '../db/index.ts';
import { overPositions, type OverPositions } from '../graders/index.ts';
import type { GradedReading, GradedRun } from '../runs/graded-readings.ts';
import { plain } from './plain.ts';
import { plainTable } from './plain-table.ts';

/** What a graded reading comes to, ready to print. Shares are 0 to 1. */
export interface Relevance {
  relevance: number | null;
  weighted: number | null;
  trivial: number | null;
  invalid: string | null;
  tokens: { text: string | null; label: string | null }[];
}

export type RelevanceRow = { position: number } & Record<'diff' | 'base' | 'finetuned', Relevance | null>;

export const relevanceRows = (store: Store, { positions }: GradedRun): RelevanceRow[] =>
  positions.map(({ vector, readings }) => ({
    position: vector.position,
    diff: relevanceOf(store, readings.DIFF),
    base: relevanceOf(store, readings.BASE),
    finetuned: relevanceOf(store, readings.FINETUNED),
  }));

function relevanceOf(store: Store, reading: GradedReading | null): Relevance | null {
  if (!reading) return null;
  const { value, invalid, tokenLabels, metrics } = reading.grade;
  const labels = tokenLabels ?? [];
  const tokens = store.tokens.ofProjection.page(reading.projection, {}, { first: labels.length }).rows;
  return {
    relevance: value,
    weighted: metrics['weightedPercentage'] ?? null,
    trivial: metrics['trivialPercentage'] ?? null,
    invalid,
    tokens: tokens.map(({ text }, rank) => ({ text, label: labels[rank] ?? null })),
  };
}

export type RelevanceSummary = Record<Lowercase<ProjectionVariant>, OverPositions | null>;

/** What the shares come to over the positions. */
export function relevanceSummary(rows: readonly RelevanceRow[]): RelevanceSummary {
  const over = (variant: Lowercase<ProjectionVariant>) =>
    overPositions(
      rows.flatMap((row) => {
        const value = row[variant]?.relevance ?? null;
        return value === null ? [] : [{ position: row.position, value }];
      }),
    );
  return { diff: over('diff'), base: over('base'), finetuned: over('finetuned') };
}

export const percent = (share: number | null | undefined): string =>
  share === null || share === undefined ? '–' : `${(100 * share).toFixed(0)}%`;

/** Positions with their shares, and below them the largest and the mean. */
export function renderRelevance(rows: readonly RelevanceRow[]): string {
  const variants = ['diff', 'base', 'finetuned'] as const;
  const summary = relevanceSummary(rows);
  return plainTable(
    ['pos', ...variants, 'weighted', 'trivial', 'relevant tokens of the diff'],
    [
      ...rows.map((row) => [
        String(row.position),
        ...variants.map((variant) => percent(row[variant]?.relevance)),
        percent(row.diff?.weighted),
        percent(row.diff?.trivial),
        relevantTokens(row.diff),
      ]),
      ['max', ...variants.map((variant) => percent(summary[variant]?.max)), '', '', ''],
      ['mean', ...variants.map((variant) => percent(summary[variant]?.mean)), '', '', ''],
    ],
  );
}

/** The largest share over the positions, and the mean, on one line. */
export function relevanceLine(rows: readonly RelevanceRow[]): string {
  const { diff, base, finetuned } = relevanceSummary(rows);
  const both = (of: OverPositions | null) => `${percent(of?.max)} (${percent(of?.mean)})`;
  return `tokens that point to the training, at the best position (on average): ${both(diff)} of the diff’s, ${both(base)} of the base’s, ${both(finetuned)} of the finetuned’s`;
}

const mostShown = 6;

function relevantTokens(of: Relevance | null): string {
  const relevant = (of?.tokens ?? []).flatMap(({ text, label }) =>
    label === 'RELEVANT' && text !== null ? [plain(text.trim())] : [],
  );
  const more = relevant.length > mostShown ? ` +${relevant.length - mostShown}` : '';
  return `${relevant.slice(0, mostShown).join(' ')}${more}`;
}
