import { certificateSummary } from '../../runs/certificate-summary.ts';
import { escapeMarkdown, table } from '../markdown.ts';
import type { Section } from '../section.ts';

/** Which run, which files and which graders every number rests on. */
export const provenance: Section = ({ organisms, graders }) => {
  const measured = organisms.flatMap(({ organism, base, measured: of }) =>
    of ? [{ organism, base, ...of }] : [],
  );
  if (measured.length + graders.length === 0) return null;
  const short = (digest: string | null) => (digest === null ? '–' : `\`${digest.slice(0, 12)}\``);
  return {
    title: 'Provenance',
    markdown: [
      'Digests are the first 12 digits of SHA-256 of the files that were measured.',
      ...(measured.length === 0
        ? []
        : [
            table(
              [
                'organism',
                'base',
                'run',
                'corpus',
                'texts',
                'positions',
                'base files',
                'finetuned files',
                'corpus file',
                'engine',
                'checked',
              ],
              measured.map(({ organism, base, run, corpus, certificate }) => [
                escapeMarkdown(organism.name),
                escapeMarkdown(base.name),
                `\`${run.key}\``,
                escapeMarkdown(corpus.name),
                run.samples,
                run.positions,
                short(run.baseDigest),
                short(run.finetunedDigest),
                short(run.corpusDigest),
                `${escapeMarkdown(run.engineVersion)}, ${escapeMarkdown(run.device)}`,
                escapeMarkdown(`${run.computeDtype} products; ${certificateSummary(certificate)}`),
              ]),
              20,
            ),
            ...measured.flatMap(({ organism, certificate }) =>
              certificate.warnings.map(
                (warning) => `- ${escapeMarkdown(organism.name)}: ${escapeMarkdown(warning)}`,
              ),
            ),
          ]),
      ...(graders.length === 0
        ? []
        : [
            table(
              [
                'grader',
                'version',
                'provider',
                'model',
                'prompt',
                'grades',
                'invalid',
                'from flagged batches',
                'exchanges',
              ],
              graders.map(({ grader, grades, invalid, flagged, exchanges }) => [
                `\`${grader.key}\``,
                grader.version,
                escapeMarkdown(grader.provider ?? 'none'),
                escapeMarkdown(grader.model ?? '–'),
                short(grader.promptDigest),
                grades,
                invalid,
                flagged,
                exchanges,
              ]),
            ),
            'invalid: no verdict, two of them, or a reply that was cut off. Flagged: a verdict smuggled into a text changed the judge’s, so nothing it said of that batch should be trusted.',
          ]),
    ],
    figures: [],
  };
};
