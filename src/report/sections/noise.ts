import type { CausalEffectRow } from '../../db/index.ts';
import { mean } from '../../graders/statistics.ts';
import { noiseRule } from '../../lib/above-noise.ts';
import type { OrganismFacts } from '../facts.ts';
import { digits, escapeMarkdown, table } from '../markdown.ts';
import type { Section } from '../section.ts';

/** The certificate of noise: what of the differences is more than chance makes of these texts, and what other null controls say. */
export const noise: Section = ({ organisms }) => {
  const measured = organisms.filter((facts) => facts.measured);
  if (measured.length === 0) return null;
  const effects = organisms.flatMap(({ organism, effects: of }) =>
    of.map((effect) => ({ organism, effect })),
  );
  return {
    title: 'Noise and null controls',
    markdown: [
      `A difference is above noise when ${escapeMarkdown(noiseRule)}. The split-half cosine is that of the differences of two halves of the texts.`,
      table(
        [
          'organism',
          'vectors above noise',
          'not above',
          'not known',
          'least norm ÷ noise mean',
          'split-half cosine, least',
          'split-half cosine, mean',
        ],
        measured.map(rowOf),
      ),
      ...(effects.length === 0
        ? []
        : [
            'Exchanging or removing a direction, beside random directions of the same space (the controls). Losses in nats a token.',
            table(
              [
                'organism',
                'layer',
                'position',
                'what',
                'texts',
                'direction',
                'loss before',
                'loss after',
                '± over controls',
              ],
              effects.map(({ organism, effect }) => effectRow(organism.name, effect)),
            ),
          ]),
    ],
    figures: [],
  };
};

function rowOf({ organism, measured }: OrganismFacts): (string | number)[] {
  const vectors = measured?.layers.flatMap((layer) => layer.vectors) ?? [];
  const count = (wanted: number | null) =>
    vectors.filter(({ isAboveNoise }) => isAboveNoise === wanted).length;
  const ratios = vectors.flatMap(({ norm, swapNormMean }) =>
    norm === null || swapNormMean === null || swapNormMean <= 0 ? [] : [norm / swapNormMean],
  );
  const cosines = vectors.flatMap(({ splitHalfCosine }) => splitHalfCosine ?? []);
  return [
    escapeMarkdown(organism.name),
    `${count(1)} of ${vectors.length}`,
    count(0),
    count(null),
    digits(ratios.length === 0 ? null : Math.min(...ratios)),
    digits(cosines.length === 0 ? null : Math.min(...cosines)),
    digits(cosines.length === 0 ? null : mean(cosines)),
  ];
}

function effectRow(name: string, effect: CausalEffectRow): (string | number)[] {
  const { direction, control, corpusName, diffVector } = effect;
  const before =
    direction === 'BASE_TO_FINETUNED' || direction === 'ZERO_FINETUNED'
      ? effect.finetunedLoss
      : effect.baseLoss;
  return [
    escapeMarkdown(name),
    diffVector.layer.layer,
    diffVector.position,
    direction.toLowerCase().replaceAll('_', ' '),
    escapeMarkdown(corpusName),
    control === 'NONE' ? 'difference' : control.toLowerCase().replaceAll('_', ' '),
    digits(before, 4),
    digits(effect.intervenedLoss, 4),
    digits(effect.intervenedLossDeviation),
  ];
}
