// npm run bench:cancel: how long a measurement takes to stop. It is started again and again, and aborted at moments spread evenly over
// its first seconds; what counts is the time from abort to rejection.
import { setTimeout } from 'node:timers/promises';
import { wholeNumber } from '../src/cli/options.ts';
import { diff, Model, NativeError } from '../src/index.ts';
import { whole } from './markdown.ts';
import { benchCommand, type ModelOptions, modelsIn, openFolder, textsIn } from './pair.ts';
import { BenchError, runBench, say } from './run-child.ts';
import { spread } from './statistics.ts';

/** Milliseconds that cancelling may take. */
const goal = 200;

interface Options extends ModelOptions {
  texts: number;
  layer: number;
  times: number;
  seconds: number;
}

const program = benchCommand('bench:cancel')
  .description('Time from aborting a measurement to its rejection.')
  .option('--texts <count>', 'the first texts of tokens.safetensors', wholeNumber(1), 2000)
  .option('--layer <block>', 'decoder block', wholeNumber(0), 13)
  .option('--times <count>', 'how many moments', wholeNumber(1), 20)
  .option('--seconds <count>', 'over how long they are spread', wholeNumber(1), 10)
  .action(main);

async function main(options: Options): Promise<void> {
  const { texts, layer, threads, times, seconds } = options;
  const { folder, name } = await openFolder(options);
  const { base: path, finetuned: finetunedPath, adapter } = modelsIn(folder, options.adapter);
  const base = await Model.open(path, { threads });
  const finetuned = await Model.open(finetunedPath, { adapter, threads });
  const tokens = textsIn(folder, texts, false);

  const timeToStop = async (moment: number): Promise<number> => {
    const controller = new AbortController();
    const outcome = diff(base, finetuned, tokens, { layers: [layer], signal: controller.signal }).catch(
      (error: unknown) => error,
    );
    await setTimeout(moment);
    const aborted = performance.now();
    controller.abort();
    const error = await outcome;
    const taken = performance.now() - aborted;
    if (error instanceof NativeError && error.code === 'CANCELLED') return taken;
    throw new BenchError(`the measurement had ended before it was aborted after ${whole(moment)} ms`);
  };

  const taken: number[] = [];
  for (let time = 0; time < times; time++) {
    const moment = (1000 * seconds * (time + 0.5)) / times;
    taken.push(await timeToStop(moment));
    say(`aborted after ${whole(moment)} ms, stopped ${whole(taken[time] ?? NaN)} ms later`);
  }
  const { median, least, most } = spread(taken);
  const over = taken.filter((ms) => ms > goal).length;
  process.stdout.write(
    `${name}, ${texts} texts, block ${layer}, ${threads} threads: from abort to rejection ${whole(least)} to ${whole(most)} ms, ` +
      `median ${whole(median)} ms; ${over} of ${times} above ${goal} ms\n`,
  );
}

await runBench(program);
