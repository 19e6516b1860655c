import { Command } from 'commander';
import { withStore } from '../data-folder.ts';
import { dataOption, jsonOption, threadsOption, wholeNumber } from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { digits, plainTable } from '../plain-table.ts';
import { findRun } from '../read-run.ts';
import { withProgress } from '../with-progress.ts';

/** How far the two models' predictions are apart on a run's texts. */
export const klCommand = (): Command =>
  new Command('kl')
    .description(
      'measure KL(finetuned ‖ base) of the next-token distributions on the texts of a run, by position',
    )
    .argument('<organism-or-run>', 'registered name, for its latest run, or a run’s key')
    .option('--texts <n>', 'the first texts of the run only', wholeNumber(1))
    .addOption(threadsOption())
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((name: string, options: { data: string; texts?: number; threads?: number; json?: boolean }) =>
      withStore(options.data, async (store) => {
        const { measureDivergence } = await import('../../runs/divergence.ts');
        const { run } = findRun(store, name);
        const { divergences, reused } = await withProgress(name, (work) =>
          measureDivergence(store, run, { ...work, threads: options.threads, maxTexts: options.texts }),
        );
        const rows = divergences.map(({ position, mean, max, count, vocabulary }) => {
          return { position, mean, max, count, vocabulary };
        });
        if (options.json) {
          process.stdout.write(`${plainJson({ run: run.key, reused, positions: rows }, 2)}\n`);
          return;
        }
        const table = plainTable(
          ['pos', 'mean nats', 'largest', 'texts'],
          rows.map(({ position, mean, max, count }) => [position, digits(mean), digits(max), count]),
        );
        process.stdout.write(`${plain(name)}: KL(finetuned ‖ base), run ${run.key}\n${table}\n`);
      }),
    );
