import { CodedError } from '../../lib/coded-error.ts';
import type { GradedRun } from '../../runs/graded-readings.ts';
import { plain, plainJson } from '../plain.ts';
import { relevanceRows, relevanceSummary, renderRelevance } from '../relevance-table.ts';
import { withProgress } from '../with-progress.ts';
import type { Grading, GradeRequest } from './request.ts';

export const offlineRelevance: Grading = async (request) => {
  const { store, name, run, flags } = request;
  if (flags.dryRun)
    throw new CodedError('INVALID_ARGUMENT', 'offline-relevance asks nobody, so there is nothing to count');
  const { gradeRelevanceOfRun } = await import('../../runs/grade.ts');
  const { method, layer, positions } = flags;
  const graded = await withProgress(name, (work) =>
    gradeRelevanceOfRun(store, run, { ...work, method, layer, positions }),
  );
  const { json, lines } = showRelevance(request, graded);
  process.stdout.write(flags.json ? `${plainJson(json, 2)}\n` : `${lines}\n`);
};

/** Graded readings, for JSON and for a terminal. */
export function showRelevance({ store, organism, run }: GradeRequest, graded: GradedRun) {
  const rows = relevanceRows(store, graded);
  const { key, name, version } = graded.grader;
  const { layer } = graded.layer;
  const { reused, method } = graded;
  return {
    json: {
      organism: organism.name,
      run: run.key,
      layer,
      method,
      grader: { key, name, version },
      reused,
      summary: relevanceSummary(rows),
      positions: rows,
    },
    lines: `${plain(organism.name)}: relevant tokens, read by ${method} at layer ${layer}, run ${run.key}, graded by ${key}\n${renderRelevance(rows)}`,
  };
}
