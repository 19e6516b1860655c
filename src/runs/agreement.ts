import type { GradeRow, OrganismRow, Store } from '../db/index.ts';
import { type Agreement, agreementBetween, type Judgement } from '../graders/index.ts';

export interface GradersAgreement {
  /** Tokens of readings, relevant or not; a token that a grader could not tell counts as not relevant, as in the share. */
  tokens: Agreement;
  /** Shares of relevant tokens of readings. */
  shares: Agreement;
  /** Texts, coherent or not. The judge of a strength search counts as one of the graders. */
  texts: Agreement;
  /** What agents believe, scored 1 to 5 by rubrics (method.md §10.5). */
  scores: Agreement;
}

const everything = { first: 1_000_000 };

/**
 * How far all graders in a store agree about what several of them have graded; of one organism or of all. Where a grader has graded a
 * thing more than once, with other parameters, the grade asked for last counts.
 */
export function agreementOfGraders(store: Store, organism?: OrganismRow): GradersAgreement {
  const last = new Map<string, GradeRow>();
  for (const grader of store.graders.all.page(null, {}, everything).rows)
    for (const grade of store.grades.ofGrader.page(grader, {}, everything).rows) {
      const thing = `${grader.key} ${grade.subjectKey}`;
      if (organism !== undefined && grade.organismId !== organism.id) continue;
      if (grade.asked >= (last.get(thing)?.asked ?? 0)) last.set(thing, grade);
    }
  const valid = [...last.values()].filter(({ invalid }) => invalid === null);
  const shares = valid.filter(({ scale, projectionId }) => scale === 'SHARE' && projectionId !== null);
  const texts = valid.filter(({ scale, sampleId }) => scale === 'LABEL' && sampleId !== null);
  const scores = valid.filter(({ scale }) => scale === 'SCORE');
  return {
    tokens: agreementBetween(shares.flatMap(tokensOf), 'NOMINAL'),
    shares: agreementBetween(shares.map(numberOf), 'INTERVAL'),
    texts: agreementBetween(textsOf(texts), 'NOMINAL'),
    scores: agreementBetween(scores.map(numberOf), 'ORDINAL'),
  };
}

const numberOf = ({ grader, subjectKey, value }: GradeRow): Judgement => ({
  ...{ rater: grader.key, subject: subjectKey, item: '' },
  label: value as number, // on these scales every valid grade has one
});

const tokensOf = ({ grader, subjectKey, tokenLabels }: GradeRow): Judgement[] =>
  (tokenLabels ?? []).flatMap((label, rank) =>
    label === null
      ? []
      : [{ rater: grader.key, subject: subjectKey, item: String(rank), label: Number(label === 'RELEVANT') }],
  );

/** Grades of texts, and what the judges of their experiments said of the same. */
function textsOf(grades: readonly GradeRow[]): Judgement[] {
  const judgements = grades.map(({ grader, subjectKey, label }): Judgement => ({
    ...{ rater: grader.key, subject: subjectKey, item: '' },
    label: Number(label === 'COHERENT'),
  }));
  const samples = new Map(grades.map(({ subjectKey, subject }) => [subjectKey, subject.sample]));
  for (const [key, sample] of samples) {
    if (!sample || sample.coherent === null) continue;
    const { judge, judgeVersion } = sample.experiment;
    if (judge === 'coherence') continue; // the grader’s own verdict
    const rater = `${judge}, version ${judgeVersion}`;
    judgements.push({ rater, subject: key, item: '', label: Number(sample.coherent) });
  }
  return judgements;
}
