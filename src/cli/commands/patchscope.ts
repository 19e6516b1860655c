import { Command, Option } from 'commander';
import { withStore } from '../data-folder.ts';
import {
  compatOption,
  dataOption,
  firstPositions,
  jsonOption,
  layerOption,
  positionsOption,
  threadsOption,
  wholeNumber,
} from '../options.ts';
import { plainJson } from '../plain.ts';
import { findRun, readRun, type Reading } from '../read-run.ts';
import { withProgress } from '../with-progress.ts';
import { renderReading } from './show.ts';

interface PatchscopeOptions {
  data: string;
  layer?: number;
  positions?: number[];
  top: number;
  variant: 'diff' | 'base' | 'finetuned';
  suppressed?: boolean;
  compat?: boolean;
  threads?: number;
  json?: boolean;
}

/** Reads a run's vectors by Patchscope. */
export const patchscopeCommand = (): Command =>
  new Command('patchscope')
    .description(
      'read the vectors of a run by Patchscope, at thirty scales with either sign, and print the scale to look at',
    )
    .argument('<organism-or-run>', 'registered name, for its latest run, or a run’s key')
    .addOption(layerOption())
    .addOption(positionsOption('positions whose vectors are read, like 0-4,7 (default: the first five)'))
    .option('--top <k>', 'tokens shown; at least 20 are kept of each list', wholeNumber(1, 1000), 20)
    .addOption(
      new Option('--variant <which>', 'vector that is printed; all three are read')
        .choices(['diff', 'base', 'finetuned'])
        .default('diff'),
    )
    .option('--suppressed', 'print what the vector, turned round, says')
    .addOption(compatOption())
    .addOption(threadsOption())
    .addOption(dataOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nOther scales: deltascope show <organism-or-run> --method patchscope --scale <number>',
    )
    .action((name: string, options: PatchscopeOptions) =>
      withStore(options.data, async (store) => {
        const { readByPatchscope } = await import('../../runs/patchscope.ts');
        const { run } = findRun(store, name);
        const { layer, positions = firstPositions(run), top, threads } = options;
        const mode = options.compat ? 'COMPAT' : 'EXACT';
        const read = await withProgress(name, (work) =>
          readByPatchscope(store, run, { ...work, layer, positions, top, threads, mode }),
        );
        const reading = readRun(store, run.key, {
          layer: read.layer.layer,
          method: 'patchscope',
          variant: options.variant.toUpperCase() as Reading['variant'],
          sign: options.suppressed ? 'SUPPRESSED' : 'PROMOTED',
          mode,
          top,
        });
        const asked = {
          ...reading,
          layers: reading.layers.map((of) => ({
            ...of,
            positions: of.positions.filter(({ position }) => positions.includes(position)),
          })),
        };
        process.stdout.write(
          options.json ? `${plainJson({ ...asked, reused: read.reused }, 2)}\n` : renderReading(asked),
        );
      }),
    );
