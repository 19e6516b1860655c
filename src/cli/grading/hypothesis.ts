import { CodedError } from '../../lib/coded-error.ts';
import { warnOfCanary } from '../judge-options.ts';
import { plain } from '../plain.ts';
import { digits, plainTable } from '../plain-table.ts';
import { gradeByJudge, type Grading } from './request.ts';

export const hypothesis: Grading = async (request) => {
  const { judgeHypotheses } = await import('../../runs/grade-hypotheses.ts');
  const { organism, flags } = request;
  const claims = flags.hypothesis ?? [];
  if (claims.length === 0)
    throw new CodedError('INVALID_ARGUMENT', 'there is no hypothesis to grade; give some by --hypothesis');
  await gradeByJudge(
    request,
    (runner, { signal }) => judgeHypotheses(organism, claims, runner, { repeats: flags.repeats, signal }),
    ({ grades, canary }) => {
      warnOfCanary([canary]);
      const rows = grades.map(({ mean, scores, rubric }, i) => ({
        hypothesis: claims[i] ?? '',
        mean,
        scores,
        rubric,
      }));
      return {
        json: { organism: organism.name, hypotheses: rows, canary },
        lines: [
          `${plain(organism.name)}: scores from 1 to 5 by the rubric ${rows[0]?.rubric}`,
          plainTable(
            ['mean', 'scores', 'hypothesis'],
            rows.map((row) => [
              digits(row.mean),
              row.scores.map((score) => score ?? '–').join(' '),
              plain(row.hypothesis).slice(0, 100),
            ]),
          ),
        ].join('\n'),
      };
    },
  );
};
