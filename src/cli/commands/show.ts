import { Command, Option } from 'commander';
import { withStoreToRead } from '../data-folder.ts';
import { dataOption, jsonOption, positive, wholeNumber } from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { readRun, type Reading } from '../read-run.ts';
import { noiseLegend, renderTokens } from '../tokens-table.ts';

interface ShowOptions {
  data: string;
  layer?: number;
  method: string;
  variant: Reading['variant'];
  suppressed?: boolean;
  scale?: number;
  top: number;
  json?: boolean;
}

/** Prints what a run's vectors say. */
export const showCommand = (): Command =>
  new Command('show')
    .description('print the top tokens per position of an organism’s latest run, or of one run')
    .argument('<organism-or-run>', 'registered name, or a run’s key')
    .option('--layer <n>', 'one decoder block only, from 0', wholeNumber(0))
    .option('--method <name>', 'how the vectors are read', 'logit-lens')
    .addOption(
      new Option('--variant <which>', 'vector that is read: the difference, or one of the two means')
        .choices(['diff', 'base', 'finetuned'])
        .default('diff'),
    )
    .option('--suppressed', 'the tokens that the vector speaks against')
    .option('--scale <n>', 'of a method that knows scales, instead of the chosen one', positive)
    .option('--top <k>', 'tokens a position', wholeNumber(1, 1000), 10)
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((name: string, options: ShowOptions) =>
      withStoreToRead(options.data, (store) => {
        const reading = readRun(store, name, {
          ...options,
          variant: options.variant.toUpperCase() as Reading['variant'],
          sign: options.suppressed ? 'SUPPRESSED' : 'PROMOTED',
        });
        process.stdout.write(options.json ? `${plainJson(reading, 2)}\n` : renderReading(reading));
      }),
    );

/** A reading as `show` prints it. */
export function renderReading(reading: Reading): string {
  const { organism, baseModel, description, run, samples, corpus, variant, method, sign } = reading;
  const lines = [
    plain(`${organism} − ${baseModel}${description === '' ? '' : `: ${description}`}`),
    plain(
      `run ${run}: ${samples} texts of ${corpus}; ${sign.toLowerCase()} tokens of the ${variant.toLowerCase()} vectors by ${method}`,
    ),
    plain(`checked: ${reading.checked}`),
    ...reading.warnings.map((warning) => plain(`warning: ${warning}`)),
  ];
  for (const { layer, positions } of reading.layers) {
    lines.push('', `layer ${layer}`, renderTokens(positions, process.stdout.columns ?? 120));
  }
  const legend = noiseLegend(reading.layers.flatMap(({ positions }) => positions));
  if (legend.length > 0) lines.push('', ...legend);
  return `${lines.join('\n')}\n`;
}
