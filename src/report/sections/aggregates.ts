import { type OfGroup, overOrganisms } from '../../graders/index.ts';
import { headline, type OrganismFacts, type Source } from '../facts.ts';
import { escapeMarkdown, image, percent, table, withInterval } from '../markdown.ts';
import type { Section } from '../section.ts';
import { variants, variantSeries } from '../series.ts';
import { sourceLine, sourceSuffix, sourceTitle } from '../sources.ts';
import { type Bar, barChart } from '../svg/bars.ts';

const groupings = [
  { by: 'kind', of: ({ organism }: OrganismFacts) => organism.kind },
  { by: 'base', of: ({ base }: OrganismFacts) => base.name },
] as const;

/** Relevance over the organisms of a kind, and of a base. Diluted organisms are left to the mixing series. */
export const aggregates: Section = ({ organisms, sources }) => {
  const undiluted = organisms.filter(({ organism }) => (organism.mixRatio ?? 0) === 0);
  const parts = sources.flatMap((source) => {
    const known = undiluted.filter((facts) => headline(facts, source));
    return known.length === 0 ? [] : [ofSource(source, known, sourceSuffix(source, sources))];
  });
  if (parts.length === 0) return null;
  return {
    title: 'Relevant tokens by kind and by base',
    markdown: [
      'Over organisms: the mean of their maxima over positions (the paper’s number) and the mean of their means, each with the standard deviation over organisms and a 95 % bootstrap interval over organisms. Organisms whose training was diluted are not in it.',
      ...parts.flatMap(({ markdown }) => markdown),
    ],
    figures: parts.map(({ figure }) => figure),
  };
};

function ofSource(source: Source, organisms: readonly OrganismFacts[], suffix: string) {
  const groups = groupings.flatMap(({ by, of }) =>
    [...new Set(organisms.map(of))].sort().map((group) => ({
      by,
      group,
      vectors: variants.map(({ variant }) => {
        const over = organisms
          .filter((facts) => of(facts) === group)
          .flatMap((facts) => headline(facts, source)?.byVariant[variant] ?? []);
        const maxima = over.map(({ max }) => max);
        return { maxima, max: overOrganisms(maxima), mean: overOrganisms(over.map(({ mean }) => mean)) };
      }),
    })),
  );
  const name = `relevance-by-kind${suffix}`;
  const kinds = groups.filter(({ by }) => by === 'kind');
  const description = `Relevant tokens at the best position, mean over organisms: ${kinds
    .map(
      ({ group, vectors }) =>
        `${group} ${vectors.map(({ max }, v) => `${percent(max?.mean)} ${variants[v]?.series.name}`).join(', ')}`,
    )
    .join('; ')}.`;
  const svg = barChart({
    name,
    title: 'Relevant tokens by kind and by base',
    subtitle: `Organisms at their best position; ${sourceTitle(source)}; the middle layer`,
    description,
    series: variantSeries,
    marks: 'bar: mean · line: 95 % interval · ring: an organism',
    axis: 'relevant tokens at the best position, percent',
    format: percent,
    rows: groups.map(({ by, group, vectors }) => ({
      group: `By ${by}`,
      label: group,
      note: `n = ${vectors[0]?.maxima.length ?? 0}`,
      bars: vectors.map(
        ({ maxima, max }): Bar | null => max && { value: max.mean, interval: max.interval, rings: maxima },
      ),
    })),
  });
  const cells = (of: OfGroup | null) => [
    withInterval(of?.mean, of?.interval, percent),
    of?.deviation === null || !of ? '–' : (100 * of.deviation).toFixed(1),
  ];
  return {
    markdown: [
      sourceLine(source),
      image(`figures/${name}.svg`, description),
      table(
        [
          'group',
          'of',
          'vector',
          'organisms',
          'mean of maxima [95 %]',
          '± points',
          'mean of means [95 %]',
          '± points',
        ],
        groups.flatMap(({ by, group, vectors }) =>
          vectors.map(({ max, mean }, v) => [
            escapeMarkdown(group),
            by,
            variants[v]?.series.name ?? '',
            max?.organisms ?? 0,
            ...cells(max),
            ...cells(mean),
          ]),
        ),
        3,
      ),
    ],
    figure: { name, svg },
  };
}
