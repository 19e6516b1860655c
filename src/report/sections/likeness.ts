import type { SimilarityRow } from '../../db/index.ts';
import { overOrganisms } from '../../graders/index.ts';
import type { OrganismFacts } from '../facts.ts';
import { digits, escapeMarkdown, table, withInterval } from '../markdown.ts';
import type { Section } from '../section.ts';

const pairs = [
  ['STEERED', 'TRAINING'],
  ['UNSTEERED', 'TRAINING'],
  ['STEERED', 'PROBE'],
  ['UNSTEERED', 'PROBE'],
  ['TRAINING', 'TRAINING'],
] as const;

/** Likeness of texts by kind of organism; cosines of two encoders are not compared. Diluted organisms are left to the mixing series. */
export const likeness: Section = ({ organisms }) => {
  const undiluted = organisms.filter(({ organism }) => (organism.mixRatio ?? 0) === 0);
  const groups = new Map<
    string,
    { kind: string; encoder: string; digest: string; members: OrganismFacts[] }
  >();
  for (const facts of undiluted)
    for (const [digest, encoder] of encodersOf(facts)) {
      const { kind } = facts.organism;
      const key = JSON.stringify([kind, encoder, digest]);
      const group = groups.get(key) ?? { kind, encoder, digest, members: [] };
      group.members.push(facts);
      groups.set(key, group);
    }
  if (groups.size === 0) return null;
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  return {
    title: 'Likeness of steered texts by kind',
    markdown: [
      'Mean cosine of text embeddings; of each organism the largest over its experiments (the paper’s number), then mean and 95 % bootstrap interval over organisms. Unsteered texts and the probe corpus are the controls, the training texts among themselves the most that can be expected.',
      table(
        ['kind', 'encoder', 'organisms', ...pairs.map((pair) => pair.join('–').toLowerCase())],
        sorted.map(({ kind, encoder, digest, members }) => [
          escapeMarkdown(kind),
          escapeMarkdown(encoder),
          members.length,
          ...pairs.map(([group, other]) => {
            const largest = members.flatMap((facts) => {
              const cosines = similaritiesOf(facts)
                .filter((row) => row.encoderDigest === digest && row.group === group && row.other === other)
                .map(({ cosine }) => cosine);
              return cosines.length === 0 ? [] : [Math.max(...cosines)];
            });
            const over = overOrganisms(largest);
            return withInterval(over?.mean, over?.interval, digits);
          }),
        ]),
        2,
      ),
    ],
    figures: [],
  };
};

/** Names of encoders by their digests: two of one name may be different ones. */
const encodersOf = (facts: OrganismFacts): Map<string, string> =>
  new Map(similaritiesOf(facts).map(({ encoderDigest, encoderName }) => [encoderDigest, encoderName]));

const similaritiesOf = ({ experiments }: OrganismFacts): SimilarityRow[] =>
  experiments.flatMap(({ similarities }) => similarities);
