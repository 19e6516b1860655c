import { plain } from '../plain.ts';
import { digits, plainTable } from '../plain-table.ts';
import { gradeByJudge, type Grading } from './request.ts';

export const scaleTournament: Grading = async (request) => {
  const { chooseScalesOfRun } = await import('../../runs/grade-scales.ts');
  const { store, organism, run, flags } = request;
  const { layer, positions } = flags;
  await gradeByJudge(
    request,
    (runner, { signal, onPhase, dryRun }) =>
      chooseScalesOfRun(store, run, runner, { layer, positions, signal, onPhase, dryRun }),
    ({ layer: at, vectors }) => {
      const rows = (vectors ?? []).map(({ position, variant, chosen }) => ({
        position,
        variant,
        scale: chosen.scale,
        invalid: chosen.invalid,
        selected: chosen.selected,
        projection: chosen.projection?.key ?? null,
      }));
      return {
        json: { organism: organism.name, run: run.key, layer: at, vectors: rows },
        lines: [
          `${plain(organism.name)}: scales at which Patchscope’s tokens make the most sense, layer ${at}, run ${run.key}`,
          plainTable(
            ['pos', 'vector', 'scale', 'tokens that belong together'],
            rows.map(({ position, variant, scale, invalid, selected }) => [
              position,
              variant.toLowerCase(),
              digits(scale),
              invalid === null
                ? selected.map((text) => plain(text.trim())).join(' ')
                : `by score: ${plain(invalid)}`,
            ]),
          ),
        ].join('\n'),
      };
    },
  );
};
