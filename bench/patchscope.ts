// npm run bench:patchscope: Patchscope of many vectors at all published scales beside the way published code takes: every prompt run whole
// for every vector and scale, with logits at every token. The slow way reads fewer vectors; its time is proportional to their number.
import { wholeNumber } from '../src/cli/options.ts';
import { Model, patchscopeScales } from '../src/index.ts';
import { patchscope } from '../src/native/patchscope.ts';
import { describeMachine, load, machine } from './machine.ts';
import { digits } from './markdown.ts';
import { benchCommand, type ModelOptions, modelsIn, openFolder, vocabularySize } from './pair.ts';
import { BenchError, runBench, say } from './run-child.ts';
import { ratios, spread } from './statistics.ts';

const goal = 20;
/** Tokens that Qwen's tokenizer makes of the three identity prompts. */
const promptLengths = [24, 21, 22];

interface Options extends ModelOptions {
  vectors: number;
  slowVectors: number;
  rounds: number;
  layer?: number;
}

const program = benchCommand('bench:patchscope')
  .description('Time Patchscope beside whole prompts for every vector and scale.')
  .option('--vectors <count>', 'vectors to read', wholeNumber(1), 15)
  .option('--slow-vectors <count>', 'of them by the slow way', wholeNumber(1), 1)
  .option('--rounds <count>', 'how often both are run', wholeNumber(1), 3)
  .option('--layer <block>', 'decoder block (default: the middle)', wholeNumber(0))
  .action(main);

async function main(options: Options): Promise<void> {
  const { vectors: count, slowVectors, rounds, threads } = options;
  const { folder, name } = await openFolder(options);
  const { finetuned, adapter } = modelsIn(folder, options.adapter);
  const model = await Model.open(finetuned, { adapter, threads });
  const layer = options.layer ?? Math.trunc(0.5 * (model.spec.layers - 1));
  // Random weights have no tokenizer: any ids do, as long as the prompts are.
  const vocabulary = vocabularySize(finetuned);
  const prompts = promptLengths.map((length, p) =>
    Array.from({ length }, (_, t) => (7919 * (p + 1) + 104_729 * t) % vocabulary),
  );
  const vectors = Array.from({ length: count }, (_, v) =>
    Float32Array.from({ length: model.spec.dModel }, (_, j) => Math.sin(1 + v * 1.7 + j * 0.37)),
  );
  const read = async (which: typeof vectors, whole: boolean) => {
    const started = performance.now();
    const lists = await patchscope(model, which, { layer, prompts, norm: 30 }, whole);
    return { seconds: (performance.now() - started) / 1000, lists };
  };

  const [fast, slow]: [number[], number[]] = [[], []];
  say(`${describeMachine(machine())}; load ${digits(load())}`);
  for (let round = 1; round <= rounds; round++) {
    const quick = await read(vectors, false);
    const whole = await read(vectors.slice(0, slowVectors), true);
    const ids = (lists: typeof quick.lists) =>
      JSON.stringify(
        lists.slice(0, slowVectors).map((list) => list.map((tokens) => tokens.map(({ id }) => id))),
      );
    if (ids(quick.lists) !== ids(whole.lists)) throw new BenchError('the two ways read different tokens');
    fast.push(quick.seconds / count);
    slow.push(whole.seconds / slowVectors);
    say(
      `round ${round} of ${rounds}: ${digits(quick.seconds)} s for ${count} vectors, ${digits(whole.seconds)} s for ${slowVectors} by whole prompts`,
    );
  }
  model.close();
  const { median, least, most } = spread(ratios(slow, fast));
  process.stdout.write(
    `${name}, block ${layer}, ${threads} threads: ${count} vectors × ${patchscopeScales.length} scales × ${prompts.length} prompts in ` +
      `${digits(spread(fast).median * count)} s; ${digits(median)} (${digits(least)} to ${digits(most)}) times as fast a vector as whole prompts, ` +
      `goal ${goal}: ${median >= goal ? 'reached' : 'missed'}\n`,
  );
}

await runBench(program);
