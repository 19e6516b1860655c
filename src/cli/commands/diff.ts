import { Command, Option } from 'commander';
import { corpusNameOf } from '../../lib/corpus-name.ts';
import { withStore } from '../data-folder.ts';
import type { RunRow, Store } from '../../db/index.ts';
import type { Progress } from '../../native/index.ts';
import type { Measured } from '../../runs/measure.ts';
import type { Phase } from '../../runs/phase.ts';
import type { WorkOptions } from '../../runs/stored-run.ts';
import { findOrganism } from '../find-organism.ts';
import { interruptible } from '../interrupt.ts';
import { layerChoice, type LayerChoice } from '../layers.ts';
import { compatOption, byteCount, dataOption, firstPositions, wholeNumber } from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { barReporter, lineReporter, type Reporter, silentReporter } from '../reporter.ts';

interface DiffOptions {
  data: string;
  corpus: string;
  corpusName?: string;
  textColumn: string;
  layers: LayerChoice;
  positions: number;
  samples: number;
  top: number;
  threads?: number;
  dtype: 'float32' | 'bfloat16';
  compat?: boolean;
  memory?: number;
  patchscope?: boolean;
}

/** Measures one organism. */
export const diffCommand = (): Command =>
  new Command('diff')
    .description('measure an organism: mean activation difference on the first tokens of unrelated texts')
    .argument('<organism>', 'its registered name')
    .requiredOption('--corpus <file>', 'probe texts, JSONL, unrelated to the finetune')
    .option('--corpus-name <name>', 'what to call the corpus (default: its file’s name)')
    .option('--text-column <name>', 'column that holds the text', 'text')
    .addOption(
      new Option('--layers <list>', '"middle", "all", or blocks from 0 and depths in percent: 0,7,50%')
        .argParser(layerChoice)
        .default(layerChoice('middle'), 'middle'),
    )
    .option('--positions <n>', 'first tokens of each text', wholeNumber(1, 65536), 10)
    .option('--samples <n>', 'texts at most', wholeNumber(1, 100_000_000), 10_000)
    .option('--top <k>', 'tokens kept of each reading', wholeNumber(1, 1000), 100)
    .option('--threads <n>', 'CPU threads (default: all)', wholeNumber(1, 4096))
    .addOption(
      new Option(
        '--dtype <type>',
        'of the matrix products; bfloat16 sums in float32 and is faster where processors have it',
      )
        .choices(['float32', 'bfloat16'])
        .default('float32'),
    )
    .addOption(compatOption())
    .option(
      '--memory <size>',
      'memory a measurement may take, like 2GiB (default: 1GiB, or what it needs)',
      byteCount,
    )
    .option('--patchscope', 'also read the first five positions of every layer by Patchscope')
    .addOption(dataOption())
    .addHelpText(
      'after',
      '\nOn a terminal: a progress bar and a summary. Otherwise JSON lines on standard output, the last one with "event": "run".',
    )
    .action((name: string, options: DiffOptions) =>
      withStore(options.data, async (store) => {
        const { measure } = await import('../../runs/measure.ts');
        const organism = findOrganism(store, name);
        const people = process.stdout.isTTY;
        const reporters: Reporter[] = [
          process.stderr.isTTY ? barReporter(plain(name)) : silentReporter,
          people ? silentReporter : lineReporter(writeLine),
        ];
        const work = {
          onPhase: (phase: Phase) => reporters.forEach((reporter) => reporter.phase(phase)),
          onProgress: (progress: Progress) => reporters.forEach((reporter) => reporter.progress(progress)),
        };
        let run: string | undefined;
        let layersRead = 0;
        const kept = () =>
          (run === undefined ? [] : [`run ${run} is stored`])
            .concat(layersRead === 0 ? [] : [`Patchscope's readings of ${layersRead} of its layers are too`])
            .join(', and ');
        const measured = await interruptible(async (signal) => {
          const found = await measure(store, organism, {
            corpus: {
              name: options.corpusName ?? corpusNameOf(options.corpus),
              file: options.corpus,
              textColumn: options.textColumn,
            },
            layers: options.layers,
            positions: options.positions,
            maxSamples: options.samples,
            top: options.top,
            mode: options.compat ? 'COMPAT' : 'EXACT',
            threads: options.threads,
            dtype: options.dtype,
            memoryBudget: options.memory,
            signal,
            ...work,
          });
          run = found.run.key;
          if (options.patchscope)
            await readLayers(
              store,
              found.run,
              { threads: options.threads, signal, ...work },
              () => (layersRead += 1),
            );
          return found;
        }, kept).finally(() => reporters.forEach((reporter) => reporter.stop()));
        if (people) tellPeople(name, measured);
        else tellProgram(name, measured);
      }),
    );

/** Every layer of a run by Patchscope, at its first positions; each is stored before it is told. */
async function readLayers(
  store: Store,
  run: RunRow,
  options: WorkOptions,
  onRead: () => void,
): Promise<void> {
  const { readByPatchscope } = await import('../../runs/patchscope.ts');
  const positions = firstPositions(run);
  for (const { layer } of store.layers.ofRun.page(run, {}, { first: 100_000 }).rows) {
    await readByPatchscope(store, run, { ...options, layer, positions });
    onRead();
  }
}

const writeLine = (line: string): void => void process.stdout.write(`${line}\n`);

function tellPeople(name: string, { run, reused, warnings }: Measured): void {
  for (const warning of warnings) process.stderr.write(`warning: ${plain(warning)}\n`);
  const how = reused ? 'already measured' : `measured in ${(run.durationMs / 1000).toFixed(1)} s`;
  writeLine(plain(`${name}: run ${run.key}, ${how}: ${run.samples} texts × ${run.positions} tokens`));
  writeLine(`show it: deltascope show ${plain(name)}`);
}

function tellProgram(organism: string, { run, reused, warnings }: Measured): void {
  const { key, samples, positions, uniquePrefixes, durationMs, digest } = run;
  const facts = { run: key, reused, samples, positions, uniquePrefixes, durationMs, digest, warnings };
  writeLine(plainJson({ event: 'run', organism, ...facts }));
}
