import { warnOfCanary } from '../judge-options.ts';
import { plain } from '../plain.ts';
import { showRelevance } from './offline-relevance.ts';
import { gradeByJudge, type Grading } from './request.ts';

export const tokenRelevance: Grading = async (request) => {
  const { judgeRelevanceOfRun } = await import('../../runs/grade-relevance.ts');
  const { store, run, flags } = request;
  const { method, layer, positions, rotations, scaleBy } = flags;
  await gradeByJudge(
    request,
    (runner, { signal, onPhase, onProgress, dryRun }) =>
      judgeRelevanceOfRun(store, run, runner, {
        ...{ method, layer, positions, rotations, signal, onPhase, onProgress, dryRun },
        agreement: flags.agreement === 'all' ? 'ALL' : 'MAJORITY',
        byTournament: scaleBy === 'tournament',
      }),
    ({ graded, canary }) => {
      if (!graded) throw new Error('a grade without a dry run is missing');
      warnOfCanary(canary ? [canary] : []);
      const { json, lines } = showRelevance(request, graded);
      const invalid = json.positions.flatMap(({ position, ...of }) =>
        Object.entries(of).flatMap(([variant, reading]) =>
          reading?.invalid ? [`no grade of ${variant} at position ${position}: ${reading.invalid}`] : [],
        ),
      );
      return { json: { ...json, canary }, lines: [lines, ...invalid.map(plain)].join('\n') };
    },
  );
};
