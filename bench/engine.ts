// npm run bench:engine: our diff beside transformers and beside its own matrix products, in one run.
//
// Every round runs every contender once on the same texts, each in a process of its own, and each round begins with another one. Reported
// are medians over rounds, and ratios of two contenders within a round.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { wholeNumber } from '../src/cli/options.ts';
import { cosine } from '../src/lib/vector-math.ts';
import { relativeL2 } from '../test/harness/numbers.ts';
import {
  askOurs,
  type Contender,
  type Dtype,
  dtypes,
  floor,
  ours,
  sweepBatches,
  transformers,
  type Work,
} from './contenders.ts';
import { buildFloor, operations, productsOf } from './floor.ts';
import { temporaryFolder } from './folder.ts';
import { load, machine } from './machine.ts';
import { digits } from './markdown.ts';
import {
  benchCommand,
  countPrefixes,
  type ModelOptions,
  modelsIn,
  openFolder,
  type Pair,
  shapes,
  textsIn,
  warmFileCache,
  writeTokens,
} from './pair.ts';
import { pythonVersions, transformersPython } from './python.ts';
import { type Agreement, parity, renderReport, type Report, type Round, type Sweep } from './report.ts';
import { BenchError, runBench, say } from './run-child.ts';

interface Options extends ModelOptions {
  transformers: boolean;
  texts: number;
  limit: number;
  rounds: number;
  bos: boolean;
  layer?: number;
  batches: number[];
  json?: string;
}

const program = benchCommand('bench:engine')
  .description('Time our diff beside transformers and beside its own matrix products, on the same texts.')
  .option('--no-transformers', 'only ours and the matrix products; needs no Python once there is a model')
  .option('--texts <count>', 'texts for ours and the matrix products', wholeNumber(1), 2000)
  .option(
    '--limit <count>',
    'texts for transformers, the first of them; its time is proportional to their number',
    wholeNumber(1),
    512,
  )
  .option('--rounds <count>', 'how often everyone is run', wholeNumber(1), 5)
  .option('--bos', 'every text begins with one same token; shapes whose tokenizers add one imply it', false)
  .option('--layer <block>', 'decoder block (default: the middle, trunc(0.5 · (blocks − 1)))', wholeNumber(0))
  .option(
    '--batches <sizes>',
    'batch sizes to try for the model cut by hand',
    (text: string) => text.split(',').map(wholeNumber(1)),
    [8, 16, 32, 64, 128, 256],
  )
  .option('--json <file>', 'write all that was measured there')
  .action(main);

async function main(options: Options): Promise<void> {
  const { threads, texts } = options;
  const fewer = Math.min(options.limit, texts);
  const folder = temporaryFolder();
  const { folder: model, name } = await openFolder(options);
  const bos = options.bos || (shapes[name]?.bos ?? false);
  const rows = textsIn(model, texts, bos);
  const pair: Pair = {
    ...modelsIn(model, options.adapter),
    tokens: writeTokens(join(folder, 'tokens.safetensors'), rows),
  };
  const python = options.transformers ? await transformersPython(options.python) : undefined;

  const { spec, restingBytes } = await askOurs({ ...pair, threads, layer: null });
  const layer = options.layer ?? Math.trunc(0.5 * (spec.layers - 1));
  if (layer >= spec.layers) throw new BenchError(`--layer is ${layer}; the model has ${spec.layers} blocks`);

  const work: Work = { pair, layer, threads, folder };
  const prefixes = countPrefixes(rows);
  const products = (dtype: Dtype) => productsOf(spec, layer, pair.adapter, dtype);
  say('building bench/native/matmul_floor');
  const multiply = await buildFloor();
  const contenders = dtypes.flatMap((dtype) => [
    ours(work, dtype, texts),
    floor(dtype, texts, () => multiply(products(dtype), prefixes, threads)),
  ]);
  await warmFileCache(pair);
  const sweeps: Sweep[] = [];
  const agreements: Agreement[] = [];
  if (python !== undefined) {
    const sizes = options.batches.filter((size) => size <= fewer);
    if (sizes.length === 0) sizes.push(fewer);
    contenders.push(transformers(work, python, { cut: false, dtype: 'bfloat16', batch: 32 }, fewer));
    for (const dtype of dtypes) {
      const sweep = await findBatch(work, python, dtype, fewer, sizes);
      sweeps.push(sweep);
      contenders.push(transformers(work, python, { cut: true, dtype, batch: sweep.batch }, fewer));
    }
  }
  const truth = contenders.find(({ kind, dtype }) => kind === 'cut' && dtype === 'float32');
  if (truth) agreements.push(...(await checkOurs(work, fewer, truth)));
  const width = rows[0]?.length ?? 0;
  const rounds = await runRounds(contenders, options.rounds, width, prefixes);
  for (const one of contenders) {
    if (truth && one !== truth && ['plain', 'cut'].includes(one.kind)) agreements.push(compare(one, truth));
  }

  const report: Report = {
    machine: machine(),
    versions: {
      'engine with':
        Object.values(rounds[0]?.measurements ?? {}).find(({ backend }) => backend)?.backend ?? '',
      ...(python === undefined ? {} : await pythonVersions(python)),
    },
    model: { name, adapter: options.adapter, bos, blocks: spec.layers, layer, texts, width, prefixes },
    threads,
    operations: operations(products('float32'), prefixes),
    openedBytes: restingBytes,
    sweeps,
    agreements,
    contenders,
    rounds,
  };
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`);
  process.stdout.write(`${renderReport(report)}\n`);
}

/** The batch size at which the model cut by hand is fastest. */
async function findBatch(
  work: Work,
  python: string,
  dtype: Dtype,
  texts: number,
  sizes: readonly number[],
): Promise<Sweep> {
  const tried = await sweepBatches(work, python, dtype, texts, sizes);
  const { batch } = tried.reduce((best, next) => (next.seconds < best.seconds ? next : best));
  say(`transformers cut by hand, ${dtype}: of batches of ${sizes.join(', ')}, ${batch} is the fastest`);
  return { dtype, batch, tried };
}

/** Before anything is timed: whether we compute what transformers computes in float32, on the texts that it is given. */
async function checkOurs(work: Work, texts: number, truth: Contender): Promise<Agreement[]> {
  await truth.measure();
  const agreements: Agreement[] = [];
  for (const dtype of dtypes) {
    const one = ours(work, dtype, texts);
    await one.measure();
    const agreement = compare(one, truth);
    const { name, relativeL2 } = agreement;
    say(`${name}: relative L2 ${relativeL2.toExponential(1)} to transformers in float32`);
    if (dtype === 'float32' && !(relativeL2 <= parity)) {
      throw new BenchError(`${name} computes something else than transformers; its speed means nothing`);
    }
    agreements.push(agreement);
  }
  return agreements;
}

function compare(one: Contender, truth: Contender): Agreement {
  const [a, b] = [one.vector?.() ?? new Float32Array(), truth.vector?.() ?? new Float32Array()];
  return { name: one.name, relativeL2: relativeL2(a, b), cosine: cosine(a, b) };
}

async function runRounds(
  contenders: readonly Contender[],
  count: number,
  width: number,
  prefixes: number,
): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let round = 0; round < count; round++) {
    const { measurements } = rounds[rounds.push({ load: load(), measurements: {} }) - 1] as Round;
    for (let i = 0; i < contenders.length; i++) {
      const contender = contenders[(round + i) % contenders.length] as Contender;
      const { name, texts } = contender;
      const measurement = await contender.measure();
      const { seconds, cpuSeconds, uniquePrefixes = prefixes } = measurement;
      if (uniquePrefixes !== prefixes) {
        throw new BenchError(`${name} found ${uniquePrefixes} unique prefixes; there are ${prefixes}`);
      }
      measurements[name] = measurement;
      say(
        `round ${round + 1} of ${count}: ${name}: ${digits(seconds)} s, ` +
          `${digits((2 * texts * width) / seconds)} tokens/s, ${digits(cpuSeconds / seconds)} cores busy`,
      );
    }
  }
  return rounds;
}

await runBench(program);
