import { join } from 'node:path';
import { Command } from 'commander';
import type { Drift } from '../../graders/index.ts';
import { packageRoot } from '../../lib/package-root.ts';
import { withStore } from '../data-folder.ts';
import { addJudgeOptions, askJudge, judgeChoice, type JudgeFlags, planLine } from '../judge-options.ts';
import { dataOption, jsonOption, wholeNumber } from '../options.ts';
import { plain, plainJson } from '../plain.ts';

interface Options extends JudgeFlags {
  texts?: string;
  textColumn: string;
  samples: number;
  dryRun?: boolean;
  data: string;
  json?: boolean;
}

const everyday = join(packageRoot(), 'organisms/corpora/everyday.jsonl');
const shown = 5;

/** Measures what guarding a judge against injections does to harmless texts. */
export const driftCommand = (): Command =>
  addJudgeOptions(
    new Command('drift').description(
      'how much the guard against injections moves a judge’s verdicts on texts that mean no harm: each judged guarded, as all graders send it, and bare',
    ),
  )
    .option('--texts <file>', 'harmless texts, JSON lines (default: the bundled everyday ones)')
    .option('--text-column <name>', 'where a line has its text', 'text')
    .option('--samples <n>', 'texts, the first of the file', wholeNumber(1), 50)
    .option('--dry-run', 'only say how many calls and tokens it would take')
    .addOption(dataOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nThe judge is asked about coherence. Replies are kept in the store; what was asked before is not paid for again.',
    )
    .action(async (options: Options) => {
      const choice = await judgeChoice(options);
      const { measureDrift } = await import('../../graders/index.ts');
      const { firstTexts } = await import('../../runs/corpus.ts');
      await withStore(options.data, (store) =>
        askJudge(
          'drift',
          store,
          choice,
          { about: 'drift', dryRun: options.dryRun },
          async (runner, { signal }) => {
            const texts = await firstTexts(
              { file: options.texts ?? everyday, textColumn: options.textColumn },
              options.samples,
              signal,
            );
            const found = await measureDrift(runner, texts, signal);
            if (options.dryRun) {
              process.stdout.write(
                options.json ? `${plainJson(runner.plan, 2)}\n` : `${planLine(runner.plan)}\n`,
              );
              return;
            }
            process.stdout.write(options.json ? `${plainJson(found, 2)}\n` : `${render(found)}\n`);
          },
        ),
      );
    });

function render(drift: Drift): string {
  const { texts, cleaned, removed, judged, moved, toCoherent, toIncoherent, shift, unknown } = drift;
  return [
    `${judged} of ${texts} texts have a verdict both ways (none guarded: ${unknown.guarded}, bare: ${unknown.bare})`,
    `the guard moved ${moved}: ${toCoherent} to coherent, ${toIncoherent} to incoherent; mean change ${shift === null ? '–' : shift.toFixed(3)} of the scale`,
    drift.unsteady === null
      ? 'the judge says the same when it is asked again'
      : `asked again, bare, the judge said otherwise of ${drift.unsteady}`,
    `cleaning took ${removed} ${removed === 1 ? 'marker' : 'markers'} out of ${cleaned} ${cleaned === 1 ? 'text' : 'texts'}`,
    ...drift.movers
      .slice(0, shown)
      .map(({ text, guarded, bare }) => `  ${bare} → ${guarded}: ${plain(text.slice(0, 80))}`),
  ].join('\n');
}
