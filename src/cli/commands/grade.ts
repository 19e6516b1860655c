import { Command, Option } from 'commander';
import { withStore, withStoreToRead } from '../data-folder.ts';
import { gradings } from '../grading/index.ts';
import type { GradeFlags } from '../grading/request.ts';
import { addJudgeOptions } from '../judge-options.ts';
import {
  dataOption,
  jsonOption,
  layerOption,
  positionsOption,
  threadsOption,
  wholeNumber,
} from '../options.ts';
import { findRun } from '../read-run.ts';

/** Says how much of what a run's vectors were read as points to the finetune, and has language models judge. */
export const gradeCommand = (): Command =>
  addJudgeOptions(
    new Command('grade')
      .description(
        'grade what the vectors of a run were read as: percent of the strongest tokens that point to the finetune, beside the same of the two models’ means; and what else a language model can judge',
      )
      .argument('<organism-or-run>', 'registered name, for its latest run, or a run’s key')
      .addOption(
        new Option('--grader <name>', 'who grades; offline-relevance asks no language model')
          .choices(Object.keys(gradings))
          .default('offline-relevance'),
      )
      .option('--method <name>', 'how the vectors were read', 'patchscope')
      .addOption(layerOption())
      .addOption(positionsOption('positions, like 0-4,7 (default: all that there are)'))
      .addOption(
        new Option(
          '--scale-by <whom>',
          'whose scale is graded: the method’s, or that of the same model’s tournament',
        )
          .choices(['method', 'tournament'])
          .default('method'),
      )
      .option('--rotations <n>', 'orders of a token list that are asked about', wholeNumber(1, 20), 3)
      .addOption(
        new Option('--agreement <rule>', 'a token is relevant if it is in all orders, or in most')
          .choices(['all', 'majority'])
          .default('all'),
      )
      .option(
        '--hypothesis <text>',
        'what the finetune may have taught; may be repeated',
        (text: string, before: string[] = []) => [...before, text],
      )
      .option('--repeats <n>', 'scores of a hypothesis', wholeNumber(1, 100), 3)
      .option('--dry-run', 'ask nobody, store nothing; print how many calls and tokens it would take'),
  )
    .addOption(threadsOption())
    .addOption(dataOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nGraders: offline-relevance, token-relevance (tokens), scale-tournament (which scale to read at), coherence (steered texts), hypothesis.' +
        '\nOffline relevance needs a training corpus (deltascope organism add --training-corpus), the others a --model, relevance and hypotheses a --ground-truth;' +
        '\nreadings are made by deltascope patchscope, texts by deltascope steer. Every reply is kept as it comes: what was asked once is never paid for again.' +
        '\nweighted: by the tokens’ probabilities; trivial: percent that are frequent in the training corpus, whatever the grader says.',
    )
    .action((name: string, flags: GradeFlags) => {
      const open = flags.dryRun ? withStoreToRead : withStore;
      return open(flags.data, async (store) => {
        const grading = await (gradings[flags.grader] as (typeof gradings)[string])();
        await grading({ store, name, ...findRun(store, name), flags });
      });
    });
