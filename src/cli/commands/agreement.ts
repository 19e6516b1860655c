import { Command } from 'commander';
import type { Agreement, Coefficient } from '../../graders/index.ts';
import { withStoreToRead } from '../data-folder.ts';
import { findOrganism } from '../find-organism.ts';
import { dataOption, jsonOption } from '../options.ts';
import { plainJson } from '../plain.ts';
import { plainTable } from '../plain-table.ts';

/** Says how far graders agree. */
export const agreementCommand = (): Command =>
  new Command('agreement')
    .description(
      'how far the graders of a store agree about what several of them have graded: Cohen’s kappa of every two, Krippendorff’s alpha of all',
    )
    .argument('[organism]', 'registered name; every organism when left out')
    .addOption(dataOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nIntervals hold with 95 %, by bootstrap over what was graded as a whole.')
    .action((name: string | undefined, options: { data: string; json?: boolean }) =>
      withStoreToRead(options.data, async (store) => {
        const { agreementOfGraders } = await import('../../runs/agreement.ts');
        const organism = name === undefined ? undefined : findOrganism(store, name);
        const found = agreementOfGraders(store, organism);
        process.stdout.write(options.json ? `${plainJson(found, 2)}\n` : render(found));
      }),
    );

const titles = {
  tokens: 'tokens',
  shares: 'shares of tokens',
  texts: 'texts',
  scores: 'scores of answers',
} as const;

function render(found: Record<keyof typeof titles, Agreement>): string {
  const rows = (Object.keys(titles) as (keyof typeof titles)[]).flatMap((what) => {
    const { raters, pairs, alpha } = found[what];
    return [
      ...pairs.map(({ raters: [a, b], kappa }) => [titles[what], `${a} · ${b}`, 'kappa', ...cells(kappa)]),
      ...(alpha.items > 0
        ? [
            [
              titles[what],
              raters.length === 2 ? raters.join(' · ') : `all ${raters.length}`,
              'alpha',
              ...cells(alpha),
            ],
          ]
        : []),
    ];
  });
  if (rows.length === 0) return 'nothing was graded by two graders yet\n';
  return `${plainTable(['of', 'graders', 'coefficient', 'value', '95 %', 'n', 'things graded'], rows)}\n`;
}

const cells = ({ value, interval, items, subjects }: Coefficient) => [
  value?.toFixed(2) ?? '–',
  interval ? `${interval.low.toFixed(2)} to ${interval.high.toFixed(2)}` : '–',
  items,
  subjects,
];
