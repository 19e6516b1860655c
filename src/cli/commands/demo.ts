import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunRow, Store } from '../../db/index.ts';
import { packageRoot } from '../../lib/package-root.ts';
import { withStore } from '../data-folder.ts';
import { interruptible } from '../interrupt.ts';
import { layerChoice } from '../layers.ts';
import { dataOption, wholeNumber } from '../options.ts';
import { plain } from '../plain.ts';
import { digits, plainTable } from '../plain-table.ts';
import { readRun } from '../read-run.ts';
import { serveUntilStopped } from '../serve-until-stopped.ts';
import { noiseLegend, renderTokens } from '../tokens-table.ts';
import { defaultPort } from './serve.ts';

const shown = { positions: 5, tokens: 8, prompts: 4 };

/** A line of organisms/organisms.json. */
interface Bundled {
  name: string;
  base: string;
  path: string;
  kind: string;
  form: 'LORA' | 'FULL';
  description: string;
  groundTruth: string;
  trainingCorpus: string;
  mixRatio: number;
}

/** The bundled organisms, measured and served. */
export const demoCommand = (): Command =>
  new Command('demo')
    .description('measure the bundled organisms, print what their vectors say, and serve the graph')
    .option('--no-serve', 'end after printing')
    .option('--port <n>', 'port; 0 takes any free one', wholeNumber(0, 65535), defaultPort)
    .addOption(dataOption())
    .action((options: { data: string; serve: boolean; port: number }) =>
      withStore(options.data, async (store) => {
        let registered = 0;
        await interruptible(
          (signal) => measureAll(store, signal, () => (registered += 1)),
          () =>
            registered === 0
              ? ''
              : `what was finished of ${registered === 1 ? 'one organism' : `${registered} organisms`} is stored, and read when asked again`,
        );
        if (options.serve) await serveUntilStopped(store, { port: options.port });
      }),
    );

async function measureAll(store: Store, signal: AbortSignal, onRegistered: () => void): Promise<void> {
  const { addOrganism } = await import('../../runs/organism.ts');
  const { measure } = await import('../../runs/measure.ts');
  const folder = join(packageRoot(), 'organisms');
  const bundled = JSON.parse(readFileSync(join(folder, 'organisms.json'), 'utf8')) as Bundled[];
  const write = (text: string) => process.stdout.write(`${text}\n`);

  write(
    `${bundled.length} finetunes of two tiny models, measured on texts that have nothing to do with them.\n` +
      'What each difference says, read by the logit lens at the middle layer:',
  );
  const series: { source: Bundled; run: RunRow }[] = [];
  for (const source of bundled) {
    const organism = await addOrganism(
      store,
      {
        ...source,
        base: join(folder, source.base),
        baseName: source.base,
        path: join(folder, source.path),
        trainingCorpus: join(folder, source.trainingCorpus),
      },
      { update: true, signal }, // the bundled files may have moved with the project
    );
    onRegistered();
    const { run, reused, warnings } = await measure(store, organism, {
      corpus: { name: 'everyday', file: join(folder, 'corpora/everyday.jsonl'), textColumn: 'text' },
      layers: layerChoice('all'),
      positions: 10,
      maxSamples: 1000,
      top: 20,
      signal,
    });
    for (const warning of warnings) process.stderr.write(`warning: ${plain(warning)}\n`);
    const [middle] = layerChoice('middle')(store.models.getById(organism.baseModelId).layers);
    const reading = readRun(store, run.key, {
      layer: middle,
      method: 'logit-lens',
      variant: 'DIFF',
      sign: 'PROMOTED',
      top: shown.tokens,
    });
    const time = reused ? 'measured before' : `${(run.durationMs / 1000).toFixed(1)} s`;
    write(`\n${source.name}: ${source.description} (layer ${middle}, ${run.samples} texts, ${time})`);
    const rows = reading.layers.flatMap(({ positions }) => positions).slice(0, shown.positions);
    write(renderTokens(rows, process.stdout.columns ?? 120));
    noiseLegend(rows).forEach(write);
    await readAndSteer(store, run, write, signal);
    if (source.trainingCorpus === mixed.corpus && source.base === mixed.base) series.push({ source, run });
  }
  await tellSeries(store, series, folder, write, signal);
}

/** The organisms whose training was mixed with more and more ordinary texts. */
const mixed = { base: 'tiny-qwen3', corpus: 'corpora/cake_bake.jsonl' };

/** Small enough to wait for: a sketch of an experiment, on models that write in their own way without a chat template. */
const steering = {
  positions: [1],
  samples: 4,
  tokens: 32,
  searchTokens: 24,
  temperature: 0.8,
  searchTemperature: 0.8,
  calibrationSamples: 6,
  plain: true,
  search: { samples: 4, decisions: 5, laterDecisions: 2, lookahead: 2, most: 4 },
};

async function readAndSteer(
  store: Store,
  run: RunRow,
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const [{ readByPatchscope }, { gradeRelevanceOfRun }, relevance, { steer }, { probes, promptLists }] = [
    await import('../../runs/patchscope.ts'),
    await import('../../runs/grade.ts'),
    await import('../relevance-table.ts'),
    await import('../../runs/steer.ts'),
    await import('../../steering/prompts/index.ts'),
  ];
  const positions = Array.from({ length: shown.positions }, (_, position) => position);
  const { layer } = await readByPatchscope(store, run, { positions, signal });
  const reading = readRun(store, run.key, {
    layer: layer.layer,
    method: 'patchscope',
    variant: 'DIFF',
    sign: 'PROMOTED',
    top: shown.tokens,
  });
  write('read by Patchscope:');
  const rows = reading.layers.flatMap((of) => of.positions);
  write(renderTokens(rows, process.stdout.columns ?? 120));

  const graded = await gradeRelevanceOfRun(store, run, { layer: layer.layer, positions, signal });
  write(relevance.relevanceLine(relevance.relevanceRows(store, graded)));

  const prompts = promptLists.open.slice(0, shown.prompts);
  const [steered] = await steer(store, run, { ...steering, prompts, probes, signal });
  if (!steered) return;
  const samples = store.samples.ofExperiment.page(
    steered.experiment,
    { steered: true, prompt: 0 },
    { first: 1 },
  );
  for (const sample of samples.rows) {
    const { prompt, text } = store.samples.read(sample);
    const strength = digits(steered.experiment.strength);
    write(
      `steered by ${strength} × the diff of position 1: ${plain(`${prompt}${text.replace(/\n/g, '⏎')}`)}`,
    );
  }
}

/** The trace fades as ordinary texts are mixed in. */
async function tellSeries(
  store: Store,
  series: readonly { source: Bundled; run: RunRow }[],
  folder: string,
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const [{ compareTexts }, { layerOf, vectorsOf }, typical, { openTokenizer }] = [
    await import('../../runs/compare.ts'),
    await import('../../runs/stored-run.ts'),
    await import('../../runs/typical-tokens.ts'),
    await import('../../tokenizer/index.ts'),
  ];
  const tokenizer = openTokenizer(join(folder, mixed.base));
  const [training, everyday] = [mixed.corpus, 'corpora/everyday.jsonl'].map((file) =>
    typical.sentencesOf(join(folder, file), tokenizer),
  ) as [number[][], number[][]];
  const words = typical.typicalOfTraining(training, everyday);
  const rows = [];
  for (const { source, run } of [...series].sort((a, b) => a.source.mixRatio - b.source.mixRatio)) {
    const vectors = vectorsOf(store, layerOf(store, run, undefined), undefined).slice(0, shown.positions);
    const shares = vectors.map((vector) => {
      const filter = {
        method: 'patchscope',
        variant: 'DIFF',
        sign: 'PROMOTED',
        chosen: true,
        mode: 'EXACT',
      } as const;
      const [projection] = store.projections.ofDiffVector.page(vector, filter, { first: 1 }).rows;
      const tokens = projection ? store.tokens.ofProjection.page(projection, {}, { first: 1000 }).rows : [];
      return typical.typicalShare(tokens, words);
    });
    const steeredBy = vectors.find(({ position }) => steering.positions.includes(position));
    const [experiment] = steeredBy ? store.steering.ofDiffVector.page(steeredBy, {}, { first: 1 }).rows : [];
    const alike = experiment ? (await compareTexts(store, experiment, { signal })).similarities : [];
    const cosine = (group: string) =>
      digits(alike.find((row) => row.group === group && row.other === 'TRAINING')?.cosine);
    rows.push([
      source.name,
      source.mixRatio,
      digits(mean(vectors.map(({ norm }) => norm ?? NaN))),
      `${(100 * mean(shares)).toFixed(0)}%`,
      cosine('STEERED'),
      cosine('UNSTEERED'),
    ]);
  }
  write('\nThe trace fades as ordinary texts are mixed into the training:');
  write(plainTable(['organism', 'mixed in', '‖diff‖', 'typical tokens', 'steered', 'unsteered'], rows));
  write(
    `‖diff‖ and typical tokens: mean over positions 0 to ${shown.positions - 1}; typical tokens: probability, in what Patchscope reads, of words that the\n` +
      'training texts have and everyday ones seldom; steered, unsteered: likeness of what the model then writes to the training texts',
  );
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
