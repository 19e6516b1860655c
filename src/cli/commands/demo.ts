import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '../../db/index.ts';
import { packageRoot } from '../../lib/package-root.ts';
import { withStore } from '../data-folder.ts';
import { interruptible } from '../interrupt.ts';
import { layerChoice } from '../layers.ts';
import { dataOption, wholeNumber } from '../options.ts';
import { plain } from '../plain.ts';
import { readRun } from '../read-run.ts';
import { serveUntilStopped } from '../serve-until-stopped.ts';
import { noiseLegend, renderTokens } from '../tokens-table.ts';
import { defaultPort } from './serve.ts';

const shown = { positions: 5, tokens: 8 };

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
        await interruptible((signal) => measureAll(store, signal));
        if (options.serve) await serveUntilStopped(store, { port: options.port });
      }),
    );

async function measureAll(store: Store, signal: AbortSignal): Promise<void> {
  const { addOrganism } = await import('../../runs/organism.ts');
  const { measure } = await import('../../runs/measure.ts');
  const folder = join(packageRoot(), 'organisms');
  const bundled = JSON.parse(readFileSync(join(folder, 'organisms.json'), 'utf8')) as Bundled[];
  const write = (text: string) => process.stdout.write(`${text}\n`);

  write(
    `${bundled.length} finetunes of two tiny models, measured on texts that have nothing to do with them.\n` +
      'What each difference says, read by the logit lens at the middle layer:',
  );
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
  }
}
