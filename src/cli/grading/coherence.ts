import type { JudgedTexts } from '../../runs/grade-coherence.ts';
import { warnOfCanary } from '../judge-options.ts';
import { plain } from '../plain.ts';
import { digits, plainTable } from '../plain-table.ts';
import { gradeByJudge, type Grading } from './request.ts';

export const coherence: Grading = async (request) => {
  const { judgeCoherenceOfRun } = await import('../../runs/grade-coherence.ts');
  const { store, organism, run, flags } = request;
  const { layer, positions } = flags;
  await gradeByJudge(
    request,
    (runner, { signal, onPhase, dryRun }) =>
      judgeCoherenceOfRun(store, run, runner, { layer, positions, signal, onPhase, dryRun }),
    ({ experiments, canaries }) => {
      warnOfCanary(canaries);
      const rows = experiments.map(rowOf);
      return {
        json: { organism: organism.name, run: run.key, experiments: rows, canaries },
        lines: [
          `${plain(organism.name)}: texts that are coherent, run ${run.key}`,
          plainTable(
            ['pos', 'strength', 'steered', 'unsteered', 'no verdict', 'agree with the search’s judge'],
            rows.map(({ position, strength, steered, unsteered, invalid, agree, judged }) => [
              position,
              digits(strength),
              `${steered.coherent} of ${steered.judged}`,
              `${unsteered.coherent} of ${unsteered.judged}`,
              invalid,
              `${agree} of ${judged}`,
            ]),
          ),
        ].join('\n'),
      };
    },
  );
};

function rowOf({ experiment, samples }: JudgedTexts['experiments'][number]) {
  const all = samples ?? [];
  const of = (steered: boolean) => {
    const judged = all.filter(({ sample, grade }) => sample.steered === steered && grade.label !== null);
    return {
      judged: judged.length,
      coherent: judged.filter(({ grade }) => grade.label === 'COHERENT').length,
    };
  };
  const both = all.filter(({ sample, grade }) => sample.coherent !== null && grade.label !== null);
  return {
    experiment: experiment.key,
    position: experiment.diffVector.position,
    strength: experiment.strength,
    steered: of(true),
    unsteered: of(false),
    invalid: all.filter(({ grade }) => grade.invalid !== null).length,
    agree: both.filter(({ sample, grade }) => sample.coherent === (grade.label === 'COHERENT')).length,
    judged: both.length,
  };
}
