import type { ExperimentFacts } from '../facts.ts';
import { digits, escapeMarkdown, table } from '../markdown.ts';
import type { Section } from '../section.ts';

/** What steering by a difference did to the texts, beside the texts that were not steered. */
export const steering: Section = ({ organisms }) => {
  const rows = organisms.flatMap(({ organism, experiments }) =>
    experiments.map((facts) => ({ name: organism.name, facts })),
  );
  if (rows.length === 0) return null;
  return {
    title: 'Steering',
    markdown: [
      'Strength is in mean token norms of the finetuned model. The unsteered texts of the same model are the control. Cosines are means over pairs of text embeddings; training–training is what training texts come to among themselves, probe what texts of no kin do.',
      table(
        [
          'organism',
          'layer',
          'position',
          'strength',
          'judge',
          'coherent',
          'unsteered',
          'steered–training',
          'unsteered–training',
          'training–training',
          'steered–probe',
          'experiment',
        ],
        rows.map(({ name, facts: { experiment, coherent, byOneEncoder } }) => {
          const { layer, position } = experiment.diffVector;
          const cosine = (group: string, other: string) =>
            digits(byOneEncoder.find((row) => row.group === group && row.other === other)?.cosine);
          return [
            escapeMarkdown(name),
            layer.layer,
            position,
            digits(experiment.strength),
            `${experiment.judge} ${experiment.judgeVersion}`,
            share(coherent.steered),
            share(coherent.unsteered),
            cosine('STEERED', 'TRAINING'),
            cosine('UNSTEERED', 'TRAINING'),
            cosine('TRAINING', 'TRAINING'),
            cosine('STEERED', 'PROBE'),
            `\`${experiment.key}\``,
          ];
        }),
      ),
    ],
    figures: [],
  };
};

const share = ([coherent, judged]: ExperimentFacts['coherent']['steered']): string =>
  judged === 0 ? '–' : `${coherent} of ${judged}`;
