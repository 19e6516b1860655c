import { Command } from 'commander';
import { withStore } from '../data-folder.ts';
import {
  dataOption,
  firstPositions,
  jsonOption,
  layerOption,
  positionsOption,
  threadsOption,
  wholeNumber,
} from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { digits, plainTable } from '../plain-table.ts';
import { findRun } from '../read-run.ts';
import { withProgress } from '../with-progress.ts';

interface PcaOptions {
  data: string;
  layer?: number;
  positions?: number[];
  components: number;
  threads?: number;
  json?: boolean;
}

/** How many directions a finetune moves single texts along. */
export const pcaCommand = (): Command =>
  new Command('pca')
    .description(
      'find how many directions the differences of single texts spread along (principal components)',
    )
    .argument('<organism-or-run>', 'registered name, for its latest run, or a run’s key')
    .addOption(layerOption())
    .addOption(positionsOption('positions, like 0-4,7 (default: the first five)'))
    .option('--components <k>', 'eigenvalues kept', wholeNumber(1, 1000), 10)
    .addOption(threadsOption())
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((name: string, options: PcaOptions) =>
      withStore(options.data, async (store) => {
        const { measureComponents } = await import('../../runs/components.ts');
        const { run } = findRun(store, name);
        const { layer, positions = firstPositions(run), components, threads } = options;
        const found = await withProgress(name, (work) =>
          measureComponents(store, run, { ...work, layer, positions, components, threads }),
        );
        const rows = found.components.map(
          ({ diffVector, samples, explained, total, participationRatio, meanShare }) => {
            return {
              position: diffVector.position,
              samples,
              explained,
              total,
              participationRatio,
              meanShare,
            };
          },
        );
        if (options.json) {
          const { reused } = found;
          process.stdout.write(
            `${plainJson({ run: run.key, layer: found.layer.layer, reused, positions: rows }, 2)}\n`,
          );
          return;
        }
        const share = (of: number | undefined, total: number) =>
          of === undefined || !(total > 0) ? '–' : `${((100 * of) / total).toFixed(1)}%`;
        const table = plainTable(
          ['pos', 'mean’s share', 'directions', '1st', '2nd', '3rd'],
          rows.map(({ position, explained, total, participationRatio, meanShare }) => [
            position,
            share(meanShare ?? undefined, 1),
            digits(participationRatio),
            ...[0, 1, 2].map((i) => share(explained[i], total)),
          ]),
        );
        process.stdout.write(
          `${plain(name)}: differences of ${run.samples} texts, layer ${found.layer.layer}, run ${run.key}\n${table}\n` +
            'mean’s share: of the mean squared length; directions: how many share the rest (participation ratio); then the share of it along the first three\n',
        );
      }),
    );
