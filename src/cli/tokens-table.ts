import Table from 'cli-table3';
import { plain } from './plain.ts';

export interface TokenRow {
  position: number;
  norm: number | null;
  tokens: { text: string | null; tokenId: number; probability: number | null }[];
}

/**
 * A token so that its spaces and controls show and nothing in it can steer a terminal: the leading space as ␣, other controls
 * and invisible characters escaped. A text that tells nothing, as of half a character, gives way to the id.
 */
export function visible(text: string | null, tokenId: number): string {
  if (text === null || /^\uFFFD*$/.test(text)) return `#${tokenId}`;
  return plain(text.replace(/ /g, '␣').replace(/\n/g, '⏎'));
}

const percent = (p: number | null): string => (p === null ? '?' : (100 * p).toFixed(p < 0.001 ? 2 : 1));

/** One line a position: its norm and its tokens with probabilities in percent. */
export function renderTokens(rows: readonly TokenRow[], width: number): string {
  const table = new Table({
    head: ['pos', '‖vector‖', 'tokens, most likely first (probability in %)'],
    colAligns: ['right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
    wordWrap: true,
    colWidths: [5, 10, Math.max(40, width - 19)],
  });
  for (const { position, norm, tokens } of rows) {
    const list = tokens.map((token) => `${visible(token.text, token.tokenId)} ${percent(token.probability)}`);
    table.push([position, norm === null ? '?' : norm.toPrecision(4), list.join('  ')]);
  }
  return table.toString();
}
