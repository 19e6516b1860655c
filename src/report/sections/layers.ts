import { mean } from '../../graders/statistics.ts';
import type { LayerFacts, OrganismFacts, Source } from '../facts.ts';
import { counted, digits, escapeMarkdown, image, percent, table } from '../markdown.ts';
import type { Section } from '../section.ts';
import { variants, variantSeries } from '../series.ts';
import { sourceLine, sourceSuffix, sourceTitle } from '../sources.ts';
import { lineChart } from '../svg/lines.ts';

/** How large the difference is, and how much it says, by depth. */
export const layers: Section = ({ organisms, sources }) => {
  const deep = organisms.filter(({ measured }) => (measured?.layers.length ?? 0) >= 2);
  const bySource = sources.flatMap(
    (source) => relevanceFigure(source, organisms, sourceSuffix(source, sources)) ?? [],
  );
  if (deep.length === 0 && bySource.length === 0) return null;
  const norms = deep.length === 0 ? [] : [normFigure(deep)];
  const figures = [...bySource, ...norms];
  return {
    title: 'Layers',
    markdown: [
      'Depth is that of a decoder block among all of its model, from 0 to 1.',
      ...figures.flatMap(({ name, description, line }) => [
        ...(line === '' ? [] : [line]),
        image(`figures/${name}.svg`, description),
      ]),
      ...(deep.length === 0
        ? []
        : [
            table(
              ['organism', 'layers', 'largest ‖diff‖ ÷ token norm', 'at layer', 'vectors above noise'],
              deep.map(({ organism, measured }) => {
                const all = measured?.layers ?? [];
                const largest = all.reduce<{ layer: number; norm: number } | null>((best, one) => {
                  const norm = relativeNorm(one);
                  return norm !== null && norm > (best?.norm ?? -Infinity)
                    ? { layer: one.layer.layer, norm }
                    : best;
                }, null);
                const vectors = all.flatMap((one) => one.vectors);
                return [
                  escapeMarkdown(organism.name),
                  all.length,
                  digits(largest?.norm),
                  largest?.layer ?? '–',
                  `${vectors.filter(({ isAboveNoise }) => isAboveNoise === 1).length} of ${vectors.length}`,
                ];
              }),
            ),
          ]),
    ],
    figures,
  };
};

/** Mean over positions of ‖diff‖, in the layer's mean finetuned token norms; null where no number is finite. */
export function relativeNorm({ layer: { finetunedNorm }, vectors }: LayerFacts): number | null {
  const norms = vectors.flatMap(({ norm }) => norm ?? []);
  return norms.length === 0 || finetunedNorm === null || finetunedNorm <= 0
    ? null
    : mean(norms) / finetunedNorm;
}

const depth = {
  axis: 'depth',
  format: (value: number) => value.toFixed(value % 1 === 0 ? 0 : 2),
  ticks: [0, 0.25, 0.5, 0.75, 1],
};
const coarse = { ...depth, ticks: [0, 0.5, 1], format: (value: number) => String(value) };
const columns = 3;

function normFigure(organisms: readonly OrganismFacts[]) {
  const name = 'layers-norm';
  const description = `Length of the mean difference over the length of a token’s activation, by depth, for ${counted(organisms.length, 'organism')}.`;
  const svg = lineChart({
    name,
    title: 'How large the difference is, by depth',
    subtitle: 'Norm of the mean difference ÷ mean token norm of the finetuned model; mean over positions',
    description,
    series: [variants[0]?.series ?? { name: 'difference', class: 's0', shape: 'circle' }],
    marks: '',
    panels: organisms.map(({ organism, measured }) => ({
      title: organism.name,
      lines: [
        (measured?.layers ?? []).flatMap((one) => {
          const y = relativeNorm(one);
          return y === null ? [] : [{ x: one.layer.relativeDepth, y, interval: null }];
        }),
      ],
    })),
    columns: organisms.length === 1 ? 1 : columns,
    x: organisms.length === 1 ? depth : coarse,
    y: { axis: 'share of a token norm', format: (value) => String(value) },
  });
  return { name, svg, description, line: '' };
}

function relevanceFigure(source: Source, organisms: readonly OrganismFacts[], suffix: string) {
  const graded = organisms
    .map((facts) => ({ facts, of: facts.relevance.filter((one) => one.source.key === source.key) }))
    .filter(({ of }) => of.length >= 2);
  if (graded.length === 0) return null;
  const name = `layers-relevance${suffix}`;
  const description = `Relevant tokens by depth for ${counted(graded.length, 'organism')}, of the difference and of both means, by ${sourceTitle(source)}.`;
  const svg = lineChart({
    name,
    title: 'How much the difference says, by depth',
    subtitle: `Relevant tokens, mean over positions; ${sourceTitle(source)}`,
    description,
    series: variantSeries,
    marks: 'upright: 95 % interval over positions',
    panels: graded.map(({ facts, of }) => ({
      title: facts.organism.name,
      lines: variants.map(({ variant }) =>
        of.flatMap(({ layer, byVariant }) => {
          const over = byVariant[variant];
          return over ? [{ x: layer.relativeDepth, y: over.mean, interval: over.interval }] : [];
        }),
      ),
    })),
    columns: graded.length === 1 ? 1 : columns,
    x: graded.length === 1 ? depth : coarse,
    y: { axis: 'relevant tokens, percent', format: percent },
  });
  return { name, svg, description, line: sourceLine(source) };
}
