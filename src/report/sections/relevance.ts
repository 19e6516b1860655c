import { headline, type OrganismFacts, type Relevance, type Source } from '../facts.ts';
import { counted, escapeMarkdown, image, percent, table, withInterval } from '../markdown.ts';
import type { Section } from '../section.ts';
import { variants, variantSeries } from '../series.ts';
import { sourceLine, sourceSuffix, sourceTitle } from '../sources.ts';
import { type Bar, barChart } from '../svg/bars.ts';

/** Relevant tokens of every organism, beside both means, which are the controls. */
export const relevance: Section = ({ organisms, sources }) => {
  if (sources.length === 0) return null;
  const parts = sources.map((source) => ofSource(source, organisms, sourceSuffix(source, sources)));
  return {
    title: 'Relevant tokens by organism',
    markdown: [
      'Share of the twenty strongest tokens of a reading that point to what the organism was trained on. For each vector the mean over positions with its 95 % bootstrap interval over positions, and the maximum over positions, which is what the paper reports and which chance alone lifts the more positions there are. The means of the base and of the finetuned model are the controls: what their readings share with the training needs no difference to be found.',
      ...parts.flatMap(({ markdown }) => markdown),
    ],
    figures: parts.map(({ figure }) => figure),
  };
};

function ofSource(source: Source, organisms: readonly OrganismFacts[], suffix: string) {
  const graded = organisms.flatMap((facts) => {
    const found = headline(facts, source);
    return found ? [{ facts, found }] : [];
  });
  const name = `relevance-by-organism${suffix}`;
  const best = graded.filter(({ found }) => above(found)).length;
  const description = `Relevant tokens of ${counted(graded.length, 'organism')} by ${sourceTitle(source)}: of ${best} of them the difference has a larger mean share than both means of activations.`;
  const svg = barChart({
    name,
    title: 'Relevant tokens by organism',
    subtitle: `Share of the 20 strongest tokens; ${sourceTitle(source)}; the middle layer`,
    description,
    series: variantSeries,
    marks: 'bar: mean · line: 95 % interval · ring: best position',
    axis: 'relevant tokens, percent',
    format: percent,
    rows: graded.map(({ facts: { organism }, found }) => ({
      group: '',
      label: organism.name,
      note: `${organism.kind}, layer ${found.layer.layer}`,
      bars: variants.map(({ variant }): Bar | null => {
        const over = found.byVariant[variant];
        return over && { value: over.mean, interval: over.interval, rings: [over.max] };
      }),
    })),
  });
  const cells = ({ byVariant }: Relevance) =>
    variants.flatMap(({ variant }) => {
      const over = byVariant[variant];
      return [
        over ? `${percent(over.max)} (${over.maxAt})` : '–',
        withInterval(over?.mean, over?.interval, percent),
      ];
    });
  const rows = organisms.flatMap((facts) =>
    facts.relevance
      .filter((one) => one.source.key === source.key)
      .map((one) => [
        escapeMarkdown(facts.organism.name),
        escapeMarkdown(facts.organism.kind),
        one.layer.layer,
        Math.max(...variants.map(({ variant }) => one.byVariant[variant]?.positions ?? 0)),
        ...cells(one),
        one.invalid,
        `\`${one.layer.run.key}\``,
      ]),
  );
  return {
    markdown: [
      sourceLine(source),
      image(`figures/${name}.svg`, description),
      table(
        [
          'organism',
          'kind',
          'layer',
          'n',
          ...variants.flatMap(({ series }) => [`${series.name}: max (at)`, 'mean [95 %]']),
          'invalid',
          'run',
        ],
        rows,
        2,
      ),
    ],
    figure: { name, svg },
  };
}

/** Whether the difference says more of the training, on average, than either mean. */
const above = ({ byVariant: { DIFF, BASE, FINETUNED } }: Relevance): boolean =>
  DIFF !== null && DIFF.mean > Math.max(BASE?.mean ?? 0, FINETUNED?.mean ?? 0);
