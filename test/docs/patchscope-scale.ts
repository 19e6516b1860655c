// node test/docs/patchscope-scale.ts writes the tables of docs/patchscope-scale.md anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { expectedCases } from '../harness/models.ts';
import { mean, median, scaleCases } from '../harness/readability.ts';

const begin = '<!-- scales: npm run docs:scales -->';
const end = '<!-- /scales -->';
export const file = 'docs/patchscope-scale.md';

const percent = (value: number): string => `${(100 * value).toFixed(0)}`;

/** One line an organism and position, and one for all. */
export function table(): string {
  const cases = expectedCases.flatMap(scaleCases);
  const row = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`;
  const best = (values: number[]) => Math.max(...values);
  const lines = cases.map(({ organism, position, scales, shares, weighted, chosen }) =>
    row([
      organism,
      position,
      scales[chosen]!,
      ...[shares, weighted].flatMap((values) => [values[chosen]!, median(values), best(values)].map(percent)),
    ]),
  );
  const all = (['shares', 'weighted'] as const).flatMap((measure) =>
    [
      mean(cases.map((one) => one[measure][one.chosen]!)),
      mean(cases.map((one) => median(one[measure]))),
      mean(cases.map((one) => best(one[measure]))),
    ].map(percent),
  );
  const fixed = (['shares', 'weighted'] as const).map((measure) =>
    percent(best(cases[0]!.scales.map((_, s) => mean(cases.map((one) => one[measure][s]!))))),
  );
  return [
    row([
      'organism',
      'position',
      'chosen scale',
      'tokens %',
      'median scale',
      'best scale',
      'probability %',
      'median scale',
      'best scale',
    ]),
    row(['---', '--:', '--:', '--:', '--:', '--:', '--:', '--:', '--:']),
    ...lines,
    row(['mean', '', '', ...all]),
    row(['best scale for all alike', '', '', fixed[0]!, '', '', fixed[1]!, '', '']),
  ].join('\n');
}

/** The rows between the marks, cell by cell. */
export const printed = (text: string): string[][] =>
  text
    .slice(text.indexOf(begin) + begin.length, text.indexOf(end))
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^[|\s:-]+$/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

export const wrapped = (rows: string): string => `${begin}\n\n${rows}\n\n${end}`;

if (import.meta.main) {
  const text = readFileSync(file, 'utf8');
  const [before] = text.split(begin);
  const [, after] = text.split(end);
  writeFileSync(file, `${before}${wrapped(table())}${after}`);
}
