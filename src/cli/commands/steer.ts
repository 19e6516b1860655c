import { Command, Option } from 'commander';
import type { RunRow, SteeringExperimentRow, Store } from '../../db/index.ts';
import type { CoherenceBatch } from '../../graders/index.ts';
import type { Steered } from '../../runs/steer.ts';
import type { WorkOptions } from '../../runs/stored-run.ts';
import type { CoherenceJudge } from '../../steering/judge.ts';
import { withStore } from '../data-folder.ts';
import { addJudgeOptions, askJudge, judgeChoice, type JudgeFlags, warnOfCanary } from '../judge-options.ts';
import {
  compatOption,
  dataOption,
  jsonOption,
  layerOption,
  nonNegative,
  positive,
  positionsOption,
  threadsOption,
  wholeNumber,
} from '../options.ts';
import { plain, plainJson } from '../plain.ts';
import { digits, plainTable } from '../plain-table.ts';
import { promptsOf } from '../prompt-list.ts';
import { findRun } from '../read-run.ts';
import { laterDecisionsOf, publishedSearch } from '../../steering/threshold-search.ts';
import { withProgress } from '../with-progress.ts';

interface SteerCommandOptions extends JudgeFlags {
  judge: 'surprise-and-repetition' | 'coherence';
  data: string;
  layer?: number;
  positions?: number[];
  prompts: string;
  maxPrompts?: number;
  samples: number;
  tokens: number;
  temperature: number;
  plain?: boolean;
  strength?: number;
  searchMost: number;
  searchFinest: number;
  searchSteps: number;
  searchSamples: number;
  searchTokens: number;
  searchTemperature: number;
  seed: number;
  compat?: boolean;
  threads?: number;
  json?: boolean;
}

/** Lets a finetuned model speak with a diff added. */
export const steerCommand = (): Command =>
  addJudgeOptions(
    new Command('steer')
      .description(
        'steer the finetuned model by diffs, as strongly as its texts stay coherent, and keep what it says',
      )
      .argument('<organism-or-run>', 'registered name, for its latest run, or a run’s key')
      .addOption(layerOption())
      .addOption(
        positionsOption('positions whose diffs are added, one experiment each, like 0-4,7 (default: 1)'),
      )
      .option('--prompts <list>', 'constrained, open, or a file with one prompt a line', 'constrained')
      .option('--max-prompts <n>', 'the first prompts only', wholeNumber(1))
      .option('--samples <n>', 'texts of each prompt, with the vector and without', wholeNumber(1, 10_000), 5)
      .option('--tokens <n>', 'tokens of a text at most', wholeNumber(1, 1_000_000), 512)
      .option('--temperature <t>', 'of the texts', nonNegative, 1.1)
      .option('--plain', 'prompts as they are, not in the base’s chat template')
      .option('--strength <s>', 'no search: this strength, in finetuned token norms', nonNegative)
      .option('--search-most <s>', 'strongest steering that is tried', nonNegative, 100)
      .option(
        '--search-finest <s>',
        'weakest steering that is tried where all stronger is too strong',
        positive,
        publishedSearch.finest,
      )
      .option(
        '--search-steps <n>',
        'halvings for the first probe prompt; later ones get half as many',
        wholeNumber(1, 40),
        12,
      )
      .option('--search-samples <n>', 'texts of each strength', wholeNumber(1, 10_000), 10)
      .option('--search-tokens <n>', 'tokens of a text in the search at most', wholeNumber(1, 1_000_000), 128)
      .option('--search-temperature <t>', 'of the texts in the search', nonNegative, 1.2)
      .option('--seed <n>', 'of the texts', wholeNumber(0, 2 ** 31), 0)
      .addOption(
        new Option('--judge <name>', 'who tells coherent texts; coherence asks the --model')
          .choices(['surprise-and-repetition', 'coherence'])
          .default('surprise-and-repetition'),
      ),
  )
    .addOption(compatOption())
    .addOption(threadsOption())
    .addOption(dataOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nCoherence is judged offline, by how surprising a text is to the two unsteered models and how often it repeats itself; with --judge coherence by a language model.',
    )
    .action((name: string, options: SteerCommandOptions) =>
      withStore(options.data, async (store) => {
        const [{ steer }, { probes }] = [
          await import('../../runs/steer.ts'),
          await import('../../steering/prompts/index.ts'),
        ];
        const { run } = findRun(store, name);
        const {
          layer,
          positions = [Math.min(1, run.positions - 1)],
          samples,
          tokens,
          temperature,
          strength,
          seed,
          threads,
        } = options;
        const ask = (work: Omit<WorkOptions, 'threads'>, judge?: CoherenceJudge) =>
          steer(store, run, {
            ...work,
            judge,
            layer,
            positions,
            prompts: promptsOf(options.prompts).slice(0, options.maxPrompts),
            probes,
            samples,
            tokens,
            temperature,
            plain: options.plain,
            strength,
            search: {
              most: options.searchMost,
              finest: options.searchFinest,
              decisions: options.searchSteps,
              laterDecisions: laterDecisionsOf(options.searchSteps),
              samples: options.searchSamples,
            },
            searchTokens: options.searchTokens,
            searchTemperature: options.searchTemperature,
            seed,
            mode: options.compat ? 'COMPAT' : 'EXACT',
            threads,
          });
        const steered =
          options.judge === 'coherence'
            ? await steerByModel(store, { name, run }, options, ask)
            : await withProgress(name, (work) => ask(work), 'experiment');
        for (const { warnings, experiment } of steered)
          for (const warning of warnings)
            process.stderr.write(`warning: position ${experiment.diffVector.position}: ${plain(warning)}\n`);
        process.stdout.write(
          options.json
            ? `${plainJson(
                {
                  run: run.key,
                  experiments: steered.map(({ experiment, reused }) => ({
                    ...jsonOf(store, experiment),
                    reused,
                  })),
                },
                2,
              )}\n`
            : render(
                store,
                name,
                steered.map(({ experiment }) => experiment),
              ),
        );
      }),
    );

/** Steers with a language model as the judge of the search, and keeps what it said of the texts as grades. */
async function steerByModel(
  store: Store,
  { name, run }: { name: string; run: RunRow },
  options: SteerCommandOptions,
  steer: (work: Omit<WorkOptions, 'threads'>, judge: CoherenceJudge) => Promise<Steered[]>,
): Promise<Steered[]> {
  const { coherenceJudge } = await import('../../graders/index.ts');
  const { judgeExperiment } = await import('../../runs/grade-coherence.ts');
  const canaries: { flagged: boolean }[] = [];
  const onBatch = ({ canary }: CoherenceBatch) => void canaries.push(canary);
  const { threads } = options;
  const steered = await askJudge(
    name,
    store,
    await judgeChoice(options),
    { about: `steering of run ${run.key}`, threads, bar: 'WORK' },
    async (runner, { signal, onPhase, onProgress }) => {
      const made = await steer({ signal, onPhase, onProgress }, coherenceJudge(runner, { onBatch }));
      for (const { experiment } of made) await judgeExperiment(store, experiment, runner, { signal });
      return made;
    },
  );
  warnOfCanary(canaries);
  return steered;
}

const everything = { first: 100_000 };

function textsOf(store: Store, experiment: SteeringExperimentRow) {
  return store.samples.ofExperiment.page(experiment, {}, everything).rows.map((sample) => {
    const { promptIndex, sampleIndex, steered, strength, finish, perplexity, coherent } = sample;
    const { prompt, text } = store.samples.read(sample);
    return { promptIndex, prompt, sampleIndex, steered, strength, text, finish, perplexity, coherent };
  });
}

function jsonOf(store: Store, experiment: SteeringExperimentRow) {
  const {
    key,
    diffVector,
    judge,
    judgeVersion,
    mode,
    strength,
    thresholds,
    normMultiple,
    klFromUnsteered,
    seed,
  } = experiment;
  return {
    key,
    layer: diffVector.layer.layer,
    position: diffVector.position,
    judge,
    judgeVersion,
    mode,
    strength,
    thresholds,
    normMultiple,
    klFromUnsteered,
    seed,
    parameters: experiment.parameters,
    settings: experiment.settings,
    samples: textsOf(store, experiment),
  };
}

const shown = { prompts: 3, characters: 200 };

function render(store: Store, name: string, experiments: readonly SteeringExperimentRow[]): string {
  const lines: string[] = [plain(`${name}: steered by ${experiments.length === 1 ? 'a diff' : 'diffs'}`)];
  const share = (texts: ReturnType<typeof textsOf>, steered: boolean) => {
    const judged = texts.filter((text) => text.steered === steered && text.coherent !== null);
    const coherent = judged.filter((text) => text.coherent).length;
    return judged.length === 0 ? '–' : `${((100 * coherent) / judged.length).toFixed(0)}%`;
  };
  lines.push(
    plainTable(
      ['pos', 'strength', 'thresholds', '× residual norm', 'KL', 'coherent', 'unsteered'],
      experiments.map((experiment) => {
        const texts = textsOf(store, experiment);
        return [
          experiment.diffVector.position,
          digits(experiment.strength),
          experiment.thresholds.map(digits).join(' ') || 'given',
          digits(experiment.normMultiple),
          digits(experiment.klFromUnsteered),
          share(texts, true),
          share(texts, false),
        ];
      }),
    ),
    'strength: in finetuned token norms; KL: of steered from unsteered predictions, nats a token; coherent: by the judge',
  );
  for (const experiment of experiments) {
    lines.push('', `position ${experiment.diffVector.position} (${experiment.key})`);
    for (const { promptIndex, prompt, steered, sampleIndex, text } of textsOf(store, experiment)) {
      if (sampleIndex > 0 || promptIndex >= shown.prompts) continue;
      if (!steered) lines.push(plain(prompt));
      const said = plain(text.replace(/\n/g, '⏎'));
      lines.push(`  ${steered ? 'steered:  ' : 'unsteered:'} ${said.slice(0, shown.characters)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
