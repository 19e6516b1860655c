import Table from 'cli-table3';

/** Numbers to the right, words to the left, as wide as they are. Cells are printed as they come. */
export function plainTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (rows.every((row) => isNumber(row[column])) ? 'right' : 'left')),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

const isNumber = (cell: string | number | undefined): boolean =>
  typeof cell === 'number' || /^(|–|[+−-]?[\d.]+(e[+-]?\d+)?( ± [\d.]+(e[+-]?\d+)?)?%?)$/.test(cell ?? '');

/** Four significant digits; a dash for what is not there. */
export const digits = (value: number | null | undefined): string =>
  value === null || value === undefined || !Number.isFinite(value)
    ? '–'
    : String(Number(value.toPrecision(4)));
