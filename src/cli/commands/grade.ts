import { Command, Option } from 'commander';
import { withStore } from '../data-folder.ts';
import { dataOption, jsonOption, layerOption, positionsOption } from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { findRun } from '../read-run.ts';
import { withProgress } from '../with-progress.ts';

interface GradeOptions {
  data: string;
  grader: 'offline-relevance';
  method: string;
  layer?: number;
  positions?: number[];
  json?: boolean;
}

/** Says how much of what a run's vectors were read as points to the finetune. */
export const gradeCommand = (): Command =>
  new Command('grade')
    .description(
      'grade what the vectors of a run were read as: percent of the strongest tokens that point to the finetune, beside the same of the two models’ means',
    )
    .argument('<organism-or-run>', 'registered name, for its latest run, or a run’s key')
    .addOption(
      new Option('--grader <name>', 'who grades; offline-relevance asks no language model')
        .choices(['offline-relevance'])
        .default('offline-relevance'),
    )
    .option('--method <name>', 'how the vectors were read', 'patchscope')
    .addOption(layerOption())
    .addOption(positionsOption('positions, like 0-4,7 (default: all that were read)'))
    .addOption(dataOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nThe organism needs a training corpus (deltascope organism add --training-corpus), the run readings (deltascope patchscope).' +
        '\nweighted: by the tokens’ probabilities; trivial: percent that are frequent in the training corpus, whatever the grader says.',
    )
    .action((name: string, options: GradeOptions) =>
      withStore(options.data, async (store) => {
        const { gradeRelevanceOfRun } = await import('../../runs/grade.ts');
        const { relevanceRows, relevanceSummary, renderRelevance } = await import('../relevance-table.ts');
        const { organism, run } = findRun(store, name);
        const { method, layer, positions } = options;
        const graded = await withProgress(name, (work) =>
          gradeRelevanceOfRun(store, run, { ...work, method, layer, positions }),
        );
        const rows = relevanceRows(store, graded);
        const { key, name: grader, version } = graded.grader;
        if (options.json) {
          const { reused } = graded;
          const about = { organism: organism.name, run: run.key, layer: graded.layer.layer, method };
          const result = { ...about, grader: { key, name: grader, version }, reused };
          process.stdout.write(
            `${plainJson({ ...result, summary: relevanceSummary(rows), positions: rows }, 2)}\n`,
          );
          return;
        }
        process.stdout.write(
          `${plain(organism.name)}: relevant tokens, read by ${method} at layer ${graded.layer.layer}, run ${run.key}, graded by ${key}\n${renderRelevance(rows)}\n`,
        );
      }),
    );
