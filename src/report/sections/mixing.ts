import type { SimilarityRow } from '../../db/index.ts';
import { headline, type OrganismFacts, type Source } from '../facts.ts';
import { digits, escapeMarkdown, image, percent, table, withInterval } from '../markdown.ts';
import type { Section } from '../section.ts';
import { variants, variantSeries } from '../series.ts';
import { sourceLine, sourceSuffix, sourceTitle } from '../sources.ts';
import type { Series } from '../svg/figure.ts';
import { lineChart, type Panel, type Point } from '../svg/lines.ts';
import { relativeNorm } from './layers.ts';

interface MixingSeries {
  name: string;
  /** By rising ratio. */
  members: { ratio: number; facts: OrganismFacts }[];
}

/** How the trace fades as ordinary text is mixed into the training. */
export const mixing: Section = ({ organisms, sources }) => {
  const all = seriesOf(organisms);
  if (all.length === 0) return null;
  const known = sources.filter((source) =>
    all.some(({ members }) => members.some(({ facts }) => headline(facts, source))),
  );
  const bySource = known.map((source) => relevanceFigure(source, all, sourceSuffix(source, sources)));
  const alike = similarityFigure(all);
  const figures = [...bySource, ...(alike ? [alike] : [])];
  return {
    title: 'Mixing series',
    markdown: [
      'Organisms of one base, one kind and one training corpus whose training had more and more ordinary documents mixed in; the ratio is of ordinary documents to finetuning documents.',
      ...all.map(({ name, members }) =>
        table(
          [
            escapeMarkdown(name),
            'mixed in',
            '‖diff‖ ÷ token norm',
            ...known.map((source) => `relevant: ${escapeMarkdown(sourceTitle(source))}`),
            'steered',
            'unsteered',
            'training',
          ],
          members.map(({ ratio, facts }) => {
            const layer = facts.measured?.layers.find(({ layer: { layer } }) => layer === middleOf(facts));
            return [
              escapeMarkdown(facts.organism.name),
              ratio,
              digits(layer && relativeNorm(layer)),
              ...known.map((source) => {
                const over = headline(facts, source)?.byVariant.DIFF;
                return withInterval(over?.mean, over?.interval, percent);
              }),
              ...(['STEERED', 'UNSTEERED', 'TRAINING'] as const).map((group) =>
                digits(similarity(facts, group)?.cosine),
              ),
            ];
          }),
        ),
      ),
      'steered, unsteered, training: mean cosine of their embeddings with those of the training texts, the largest over the experiments.',
      ...figures.flatMap(({ name, description, line }) => [
        ...(line === '' ? [] : [line]),
        image(`figures/${name}.svg`, description),
      ]),
    ],
    figures,
  };
};

function seriesOf(organisms: readonly OrganismFacts[]): MixingSeries[] {
  const groups = new Map<string, OrganismFacts[]>();
  for (const facts of organisms) {
    const { trainingCorpus, kind, mixRatio } = facts.organism;
    if (trainingCorpus === null || mixRatio === null) continue;
    const key = JSON.stringify([facts.base.name, kind, trainingCorpus]);
    groups.set(key, [...(groups.get(key) ?? []), facts]);
  }
  return [...groups.values()].flatMap((facts) => {
    const members = facts
      .map((one) => ({ ratio: one.organism.mixRatio ?? 0, facts: one }))
      .sort((a, b) => a.ratio - b.ratio);
    const distinct = new Set(members.map(({ ratio }) => ratio)).size;
    const [first] = members;
    return distinct < 2 || !first ? [] : [{ name: first.facts.organism.name, members }];
  });
}

const middleOf = ({ measured, base }: OrganismFacts): number | undefined =>
  measured?.layers
    .map(({ layer }) => layer.layer)
    .find((layer) => layer >= Math.trunc(0.5 * (base.layers - 1)));

/** The likeness of a group of texts to the training, of the experiment that has the largest, as the paper takes it. */
const similarity = (
  { experiments }: OrganismFacts,
  group: SimilarityRow['group'],
): SimilarityRow | undefined =>
  experiments
    .flatMap(({ byOneEncoder }) => byOneEncoder)
    .filter((row) => row.group === group && row.other === 'TRAINING')
    .sort((a, b) => b.cosine - a.cosine)[0];

/** Ratios stand at even distances: they double, and what matters happens near 0. */
function chartOf(
  all: readonly MixingSeries[],
  heading: { name: string; title: string; subtitle: string; description: string },
  series: readonly Series[],
  marks: string,
  y: { axis: string; format: (value: number) => string },
  pointsOf: (facts: OrganismFacts, series: number) => Omit<Point, 'x'> | null,
): string {
  const ratios = [...new Set(all.flatMap(({ members }) => members.map(({ ratio }) => ratio)))].sort(
    (a, b) => a - b,
  );
  const panels = all.map(({ name, members }): Panel => ({
    title: all.length === 1 ? '' : name,
    lines: series.map((_, s) =>
      members.flatMap(({ ratio, facts }) => {
        const point = pointsOf(facts, s);
        return point ? [{ ...point, x: ratios.indexOf(ratio) }] : [];
      }),
    ),
  }));
  return lineChart({
    ...heading,
    series,
    marks,
    panels,
    columns: Math.min(2, panels.length),
    x: {
      axis: 'ordinary documents mixed in for each finetuning document',
      format: (index) => String(ratios[index] ?? ''),
      ticks: ratios.map((_, i) => i),
    },
    y,
  });
}

function relevanceFigure(source: Source, all: readonly MixingSeries[], suffix: string) {
  const name = `mixing-relevance${suffix}`;
  const told = all.map(
    (one) =>
      `${one.name}: ${one.members.map(({ ratio, facts }) => `${percent(headline(facts, source)?.byVariant.DIFF?.mean)} at ${ratio}`).join(', ')}`,
  );
  const description = `Relevant tokens of the difference as ordinary text is mixed in. ${told.join('; ')}.`;
  const svg = chartOf(
    all,
    {
      name,
      title: 'Relevant tokens as ordinary text is mixed into the training',
      subtitle: `Relevant tokens, mean over positions; ${sourceTitle(source)}`,
      description,
    },
    variantSeries,
    'upright: 95 % interval over positions',
    { axis: 'relevant tokens, percent', format: percent },
    (facts, s) => {
      const over = headline(facts, source)?.byVariant[variants[s]?.variant ?? 'DIFF'];
      return over ? { y: over.mean, interval: over.interval } : null;
    },
  );
  return { name, svg, description, line: sourceLine(source) };
}

const groups = [
  { group: 'STEERED', series: { name: 'steered texts', class: 's0', shape: 'circle' } },
  { group: 'UNSTEERED', series: { name: 'unsteered texts', class: 's1', shape: 'square' } },
  { group: 'TRAINING', series: { name: 'training texts among themselves', class: 's3', shape: 'triangle' } },
] as const;

function similarityFigure(all: readonly MixingSeries[]) {
  const rows = all.flatMap(({ members }) =>
    members.flatMap(({ facts }) => similarity(facts, 'STEERED') ?? []),
  );
  const [first] = rows;
  if (!first) return null;
  const name = 'mixing-similarity';
  const description = `Mean cosine of steered texts with the training texts, by ratio: ${all
    .map((one) =>
      one.members
        .map(({ ratio, facts }) => `${digits(similarity(facts, 'STEERED')?.cosine)} at ${ratio}`)
        .join(', '),
    )
    .join('; ')}.`;
  const svg = chartOf(
    all,
    {
      name,
      title: 'Likeness to the training texts as ordinary text is mixed in',
      subtitle: `Mean cosine of embeddings with the training texts; encoder ${first.encoderName}`,
      description,
    },
    groups.map(({ series }) => series),
    'of the experiment with the largest',
    { axis: 'mean cosine', format: (value) => value.toFixed(2) },
    (facts, s) => {
      const row = similarity(facts, groups[s]?.group ?? 'STEERED');
      return row ? { y: row.cosine, interval: null } : null;
    },
  );
  return { name, svg, description, line: '' };
}
