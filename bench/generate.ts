// npm run bench:generate: decoded tokens a second at several batch sizes, beside the time that reading the weights alone takes.
//
// The floor is measured before and after every batch size, in a process of its own, by adding up as many bytes as a decoded token
// needs of weights. Speeds are of whole steps (a token for every text of the batch) once the prompts have been read.
import { openSync, readSync, closeSync, globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wholeNumber } from '../src/cli/options.ts';
import { Model } from '../src/index.ts';
import { buildReadFloor } from './floor.ts';
import { describeMachine, load, machine } from './machine.ts';
import { digits, markdownTable, megabytes } from './markdown.ts';
import { benchCommand, type ModelOptions, modelsIn, openFolder, textsIn, warmFileCache } from './pair.ts';
import { BenchError, runBench, say } from './run-child.ts';
import { median } from './statistics.ts';

interface Options extends ModelOptions {
  batches: number[];
  steps: number;
  prompt: number;
  json?: string;
}

interface Measured {
  batch: number;
  /** Between the tokens of one text, median over steps. */
  secondsPerStep: number;
  /** Reading the weights once, median of the rounds just before and after. */
  floorSeconds: number;
  load: number;
}

const program = benchCommand('bench:generate')
  .description('Time decoding beside the time that reading its weights takes.')
  .option(
    '--batches <sizes>',
    'texts at once',
    (text: string) => text.split(',').map(wholeNumber(1)),
    [1, 2, 4, 8, 16, 32],
  )
  .option('--steps <count>', 'tokens of each text', wholeNumber(4), 24)
  .option('--prompt <tokens>', 'tokens of each prompt', wholeNumber(1), 5)
  .option('--json <file>', 'write all that was measured there')
  .action(main);

async function main(options: Options): Promise<void> {
  const { threads, batches, steps } = options;
  const { folder, name } = await openFolder(options);
  const models = modelsIn(folder, options.adapter);
  await warmFileCache({ ...models, tokens: '' });
  const readFloor = await buildReadFloor();
  const finetuned = options.adapter ? models.base : models.finetuned;
  const bytes = weightBytes(finetuned);
  const model = await Model.open(finetuned, { adapter: models.adapter, threads });
  if (model.spec.family === 'qwen3_moe') throw new BenchError('which experts a token reads cannot be told');
  const texts = textsIn(folder, Math.max(...batches), false).map((ids) => ids.slice(0, options.prompt));

  const measured: Measured[] = [];
  for (const batch of batches) {
    const before = await readFloor(bytes, threads, 5);
    const times: number[] = [];
    await model.generate(texts.slice(0, batch), {
      maxNewTokens: steps,
      temperature: 0,
      stop: [],
      onToken: ({ prompt }) => {
        if (prompt === 0) times.push(performance.now());
      },
    });
    const after = await readFloor(bytes, threads, 5);
    // The first step also reads the weights into memory.
    const gaps = times.slice(1).map((time, i) => (time - (times[i] ?? NaN)) / 1000);
    const secondsPerStep = median(gaps.slice(1));
    const floorSeconds = median([...before, ...after]);
    measured.push({ batch, secondsPerStep, floorSeconds, load: load() });
    say(
      `batch ${batch}: ${digits(batch / secondsPerStep)} tokens/s, ${digits(secondsPerStep * 1000)} ms a step, floor ${digits(floorSeconds * 1000)} ms`,
    );
  }
  model.close();
  const report = {
    machine: machine(),
    model: name,
    adapter: options.adapter,
    threads,
    bytes,
    steps,
    measured,
  };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(render(report));
}

function render(report: {
  machine: ReturnType<typeof machine>;
  model: string;
  threads: number;
  bytes: number;
  measured: Measured[];
}): string {
  const { bytes, measured } = report;
  const bandwidth = (seconds: number) => digits(bytes / seconds / 1e9);
  const speed = ({ batch, secondsPerStep }: Measured) => batch / secondsPerStep;
  const table = [
    ['batch', 'tokens/s', 'ms a step', 'floor, ms', 'floor ÷ step', 'read, GB/s', 'load'],
    ...measured.map((one) => [
      String(one.batch),
      digits(speed(one)),
      digits(1000 * one.secondsPerStep),
      digits(1000 * one.floorSeconds),
      (one.floorSeconds / one.secondsPerStep).toFixed(2),
      bandwidth(one.floorSeconds),
      one.load.toFixed(1),
    ]),
  ];
  const rises = measured.every((one, i) => i === 0 || speed(one) > speed(measured[i - 1] as Measured));
  const first = measured.find(({ batch }) => batch === 1);
  const ratio = first === undefined ? NaN : first.floorSeconds / first.secondsPerStep;
  return [
    `### Decoding ${report.model}, ${megabytes(bytes)} of weights a token, ${report.threads} threads`,
    '',
    describeMachine(report.machine),
    '',
    markdownTable(table, [0, 1, 2, 3, 4, 5, 6]),
    '',
    first &&
      `Batch 1 reaches ${ratio.toFixed(2)} of the memory floor; ${ratio >= 0.8 ? 'the goal of 0.80 is met' : 'the goal is 0.80'}.`,
    rises
      ? 'Tokens a second rise with every batch size.'
      : 'Tokens a second do not rise with every batch size.',
    '',
  ]
    .filter((line) => line !== undefined)
    .join('\n');
}

/** Bytes of the tensors that a decoded token reads: all, but of an untied embedding a row, which is nothing. */
function weightBytes(folder: string): number {
  let bytes = 0;
  let embedding = 0;
  let untied = false;
  for (const file of globSync(join(folder, '*.safetensors'))) {
    for (const [name, size] of tensorSizes(file)) {
      bytes += size;
      if (/(^|\.)(embed_tokens|wte)\.weight$/.test(name)) embedding = size;
      if (/(^|\.)lm_head\.weight$/.test(name)) untied = true;
    }
  }
  if (bytes === 0) throw new BenchError(`${folder} holds no safetensors`);
  return untied ? bytes - embedding : bytes;
}

function tensorSizes(path: string): [name: string, bytes: number][] {
  const file = openSync(path, 'r');
  try {
    const length = Buffer.alloc(8);
    readSync(file, length, 0, 8, 0);
    const header = Buffer.alloc(Number(length.readBigUInt64LE(0)));
    readSync(file, header, 0, header.length, 8);
    const tensors = JSON.parse(header.toString('utf8')) as Record<
      string,
      { data_offsets?: [number, number] }
    >;
    return Object.entries(tensors).flatMap(([name, { data_offsets }]) =>
      data_offsets ? [[name, data_offsets[1] - data_offsets[0]]] : [],
    );
  } finally {
    closeSync(file);
  }
}

await runBench(program);
