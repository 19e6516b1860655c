import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { CodedError } from '../../lib/coded-error.ts';
import { withStoreToRead } from '../data-folder.ts';
import { dataOption } from '../options.ts';
import { plain } from '../plain.ts';

/** Writes what a store says. */
export const reportCommand = (): Command =>
  new Command('report')
    .description(
      'write what the store says as Markdown with figures: relevance, mixing series, layers, steering, noise, agents',
    )
    .option('--out <folder>', 'where report.md and figures/ are written', 'report')
    .addOption(dataOption())
    .addHelpText(
      'after',
      '\nNothing is measured or asked. The same store gives the same files, byte by byte.',
    )
    .action(({ data, out }: { data: string; out: string }) =>
      withStoreToRead(data, async (store) => {
        const { reportOf } = await import('../../report/index.ts');
        const files = reportOf(store);
        const folder = resolve(out);
        try {
          for (const { path, text } of files) {
            mkdirSync(dirname(join(folder, path)), { recursive: true });
            writeFileSync(join(folder, path), text);
          }
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          throw new CodedError(
            'OUTPUT_NOT_WRITABLE',
            `cannot write to ${folder} (${code ?? String(error)}); choose another folder with --out`,
            { cause: error },
          );
        }
        process.stdout.write(`${plain(join(folder, 'report.md'))}, ${files.length - 1} figures\n`);
      }),
    );
