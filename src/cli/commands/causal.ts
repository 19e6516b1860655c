import { Command, Option } from 'commander';
import type { CausalEffectRow, Store } from '../../db/index.ts';
import { corpusNameOf } from '../../lib/corpus-name.ts';
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

interface CausalOptions {
  data: string;
  layer?: number;
  positions?: number[];
  corpus?: string;
  corpusName?: string;
  textColumn: string;
  texts: number;
  tokens: number;
  random: number;
  differences: number;
  seed: number;
  after: number;
  subset: 'all' | 'after-k' | 'exclude-position';
  compat?: boolean;
  threads?: number;
  json?: boolean;
}

/** What the directions of a run's diffs do to both models' predictions. */
export const causalCommand = (): Command =>
  new Command('causal')
    .description('exchange or remove the direction of a diff in both models, and measure their cross entropy')
    .argument('<organism-or-run>', 'registered name, for its latest run, or a run’s key')
    .addOption(layerOption())
    .addOption(
      positionsOption('positions whose diffs give the directions, like 0-4,7 (default: the first five)'),
    )
    .option('--corpus <file>', 'texts to predict, JSONL (default: the organism’s training corpus)')
    .option('--corpus-name <name>', 'what to call the corpus (default: its file’s name)')
    .option('--text-column <name>', 'column that holds the text', 'text')
    .option('--texts <n>', 'texts at most', wholeNumber(1), 1000)
    .option('--tokens <n>', 'tokens of a text at most', wholeNumber(2), 1024)
    .option('--random <n>', 'random directions to compare with', wholeNumber(0, 10_000), 64)
    .option(
      '--differences <n>',
      'random differences of base activations to compare with',
      wholeNumber(0, 10_000),
      64,
    )
    .option('--seed <n>', 'of what is random', wholeNumber(0), 0)
    .option('--after <k>', 'subset after-k counts predictions made after this position', wholeNumber(0), 20)
    .addOption(
      new Option('--subset <which>', 'predictions that are printed; all subsets are stored')
        .choices(['all', 'after-k', 'exclude-position'])
        .default('exclude-position'),
    )
    .option(
      '--compat',
      'leave out the column that the published implementation does, and round where it does',
    )
    .addOption(threadsOption())
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((name: string, options: CausalOptions) =>
      withStore(options.data, async (store) => {
        const { measureCausalEffects } = await import('../../runs/causal.ts');
        const { run } = findRun(store, name);
        const {
          corpus,
          corpusName,
          textColumn,
          layer,
          positions = firstPositions(run),
          seed,
          threads,
        } = options;
        const found = await withProgress(name, (work) =>
          measureCausalEffects(store, run, {
            ...work,
            layer,
            positions,
            corpus:
              corpus === undefined
                ? undefined
                : {
                    name: corpusName ?? corpusNameOf(corpus),
                    file: corpus,
                    textColumn,
                  },
            maxTexts: options.texts,
            maxTokens: options.tokens,
            random: options.random,
            randomDifferences: options.differences,
            seed,
            afterK: options.after,
            mode: options.compat ? 'COMPAT' : 'EXACT',
            threads,
          }),
        );
        if (options.json) {
          const { reused } = found;
          process.stdout.write(
            `${plainJson({ run: run.key, layer: found.layer.layer, reused, effects: found.effects.map(jsonOf) }, 2)}\n`,
          );
          return;
        }
        const subset = options.subset.toUpperCase().replace('-', '_');
        const shown = found.effects.filter((effect) => effect.subset === subset && effect.control === 'NONE');
        const [first] = shown;
        process.stdout.write(
          `${plain(name)}: cross entropy on ${plain(first?.corpusName ?? '?')} in nats, layer ${found.layer.layer}, run ${run.key}\n${table(store, shown)}\n` +
            'change: to the cross entropy that the changed model has as it is; beside it what random directions and random differences of activations change\n',
        );
      }),
    );

const words: Record<CausalEffectRow['direction'], string> = {
  BASE_TO_FINETUNED: 'finetuned, component of the base',
  FINETUNED_TO_BASE: 'base, component of the finetuned',
  ZERO_FINETUNED: 'finetuned, component removed',
  ZERO_BASE: 'base, component removed',
};

/** The cross entropy of the model that was changed, as it is. */
const own = ({ direction, baseLoss, finetunedLoss }: CausalEffectRow): number =>
  direction === 'BASE_TO_FINETUNED' || direction === 'ZERO_FINETUNED' ? finetunedLoss : baseLoss;

function table(store: Store, effects: readonly CausalEffectRow[]): string {
  const change = (effect: CausalEffectRow | undefined) =>
    effect ? digits(effect.intervenedLoss - own(effect)) : '–';
  const control = (effect: CausalEffectRow, kind: 'RANDOM' | 'RANDOM_DIFFERENCE') => {
    const found = store.causalEffects.controlOf(effect, kind);
    return found?.intervenedLossDeviation
      ? `${change(found)} ± ${digits(found.intervenedLossDeviation)}`
      : change(found);
  };
  return plainTable(
    ['pos', 'predictions', 'base', 'finetuned', 'changed model', 'change', 'random', 'differences'],
    effects.map((effect) => [
      effect.diffVector.position,
      effect.count,
      digits(effect.baseLoss),
      digits(effect.finetunedLoss),
      words[effect.direction],
      change(effect),
      control(effect, 'RANDOM'),
      control(effect, 'RANDOM_DIFFERENCE'),
    ]),
  );
}

const jsonOf = (effect: CausalEffectRow) => ({
  position: effect.diffVector.position,
  direction: effect.direction,
  subset: effect.subset,
  control: effect.control,
  vectors: effect.vectors,
  mode: effect.mode,
  corpus: effect.corpusName,
  count: effect.count,
  baseLoss: effect.baseLoss,
  finetunedLoss: effect.finetunedLoss,
  intervenedLoss: effect.intervenedLoss,
  intervenedLossDeviation: effect.intervenedLossDeviation,
});
