// node test/docs/supported.ts writes the README's table of supported models: families from the engine's registry, errors from
// the golden cases.
import { readFileSync, writeFileSync } from 'node:fs';
import { Model } from '../../src/index.ts';
import { addon } from '../../src/native/index.ts';
import { goldenCases, goldenError, goldenFolders } from '../harness/golden-error.ts';

const begin = '<!-- supported: npm run docs:supported -->';
const end = '<!-- /supported -->';

export interface Supported {
  title: string;
  architectures: string[];
  /** Golden cases, those with an adapter among them. */
  cases: number;
  adapters: number;
  /** Largest relative L2 error of an activation or of a token's logits in any of them. */
  error: number;
}

/** What the engine supports, in the order of its registry, each measured on every golden case. */
export async function measureSupported(): Promise<Supported[]> {
  const rows = new Map<string, Supported>(
    addon()
      .engine()
      .families.map(({ family, title, architectures }) => [
        family,
        { title, architectures, cases: 0, adapters: 0, error: 0 },
      ]),
  );
  for (const name of goldenCases) {
    using model = await Model.open(...goldenFolders(name));
    const row = rows.get(model.spec.family)!;
    const { activations, logits } = await goldenError(model, name);
    row.cases += 1;
    row.adapters += name.includes('--') ? 1 : 0;
    row.error = Math.max(row.error, activations, logits);
  }
  return [...rows.values()];
}

/** Rounded up to one digit, so that it holds on other processors too. */
export function bound(error: number): string {
  const exponent = Math.floor(Math.log10(error));
  return `${Math.ceil(error / 10 ** exponent)}e${exponent}`;
}

export function table(rows: readonly Supported[], errors: readonly string[]): string {
  return [
    '| models | `architectures` | golden cases (with adapters) | largest error |',
    '| --- | --- | --- | --- |',
    ...rows.map(
      ({ title, architectures, cases, adapters }, i) =>
        `| ${title} | ${architectures.map((name) => `\`${name}\``).join(', ')} | ${cases} (${adapters}) | ${errors[i]} |`,
    ),
  ].join('\n');
}

/** The table in a README: its rows, cell by cell. */
export function printedTable(readme: string): string[][] {
  const from = readme.indexOf(begin);
  const text = readme.slice(from < 0 ? 0 : from + begin.length, readme.indexOf(end));
  return text
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^[|\s:-]+$/.test(line))
    .slice(1)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

if (import.meta.main) {
  const rows = await measureSupported();
  const readme = readFileSync('README.md', 'utf8');
  const [before] = readme.split(begin);
  const [, after] = readme.split(end);
  const errors = rows.map(({ error }) => bound(error));
  writeFileSync('README.md', `${before}${begin}\n\n${table(rows, errors)}\n\n${end}${after}`);
}
