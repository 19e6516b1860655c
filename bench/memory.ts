// npm run bench:memory: whether measurements keep the memory budgets they are given. Each budget is tried in a process of its own. What
// counts is the largest resident set while it measures, less what was resident once the models were open.
import { join } from 'node:path';
import { byteCount, wholeNumber } from '../src/cli/options.ts';
import { askOurs } from './contenders.ts';
import { temporaryFolder } from './folder.ts';
import { markdownTable, whole } from './markdown.ts';
import type { OursRequest } from './ours.ts';
import {
  benchCommand,
  type ModelOptions,
  modelsIn,
  openFolder,
  vocabularySize,
  writeTokens,
} from './pair.ts';
import { BenchError, runBench, say } from './run-child.ts';

interface Options extends ModelOptions {
  budgets: number;
  step: number;
  texts: number;
  tokens: number;
  layer: number;
}

const program = benchCommand('bench:memory')
  .description('Compare memory budgets with the memory that measurements take under them.')
  .option('--budgets <count>', 'how many budgets, from the least that is accepted upwards', wholeNumber(1), 5)
  .option('--step <size>', 'from one budget to the next', byteCount, 2 ** 26)
  .option(
    '--texts <count>',
    'texts for the largest budget, no two of which share a prefix',
    wholeNumber(1),
    4000,
  )
  .option('--tokens <count>', 'tokens of each', wholeNumber(1), 5)
  .option(
    '--layer <block>',
    'decoder block; memory does not depend on how many come before it',
    wholeNumber(0),
    1,
  )
  .action(main);

async function main(options: Options): Promise<void> {
  const { texts, tokens, layer, threads, step } = options;
  const { folder, name } = await openFolder(options);
  const models = modelsIn(folder, options.adapter);
  const vocabulary = vocabularySize(models.base);
  const rows = Array.from({ length: texts }, (_, text) =>
    Array.from({ length: tokens }, (_, t) => (text + t) % vocabulary),
  );
  const request: OursRequest = {
    ...models,
    tokens: writeTokens(join(temporaryFolder(), 'tokens.safetensors'), rows),
    layer,
    threads,
  };
  const { leastBudget } = await askOurs({ ...request, memoryBudget: 1 });
  if (leastBudget === null) throw new BenchError('a budget of one byte was accepted');

  const MiB = (bytes: number) => whole(bytes / 2 ** 20);
  const table = [['texts', 'waves', 'budget, MiB', 'measured, MiB', 'measured ÷ budget']];
  let broken = 0;
  for (let i = 0; i < options.budgets; i++) {
    const budget = leastBudget + i * step;
    // What exceeds the least holds texts, so a budget is used to the full by a number of texts in proportion to it. The least itself
    // would cut many texts into a wave each.
    const limit = Math.max(4, Math.ceil((texts * i) / Math.max(1, options.budgets - 1)));
    const { measured, restingBytes } = await askOurs({ ...request, limit, memoryBudget: budget });
    if (!measured) throw new BenchError(`a budget of ${budget} bytes was refused`);
    const { peakBytes, waves } = measured;
    const taken = peakBytes - restingBytes;
    if (taken > budget) broken++;
    const share = `${((100 * taken) / budget).toFixed(1)} %`;
    table.push([whole(limit), whole(waves), MiB(budget), MiB(taken), share]);
    say(`${limit} texts in ${MiB(budget)} MiB: ${waves} waves, ${MiB(taken)} MiB, ${share} of the budget`);
  }
  const finetune = options.adapter ? 'LoRA adapter' : 'full checkpoint';
  process.stdout.write(
    `### Memory of ${name}, ${finetune}, ${tokens} tokens a text, block ${layer}, ${threads} threads\n\n` +
      `${markdownTable(table, [0, 1, 2, 3, 4])}\n\n` +
      `${broken === 0 ? 'Every budget is kept.' : `${broken} of ${options.budgets} budgets are not kept.`}\n`,
  );
  if (broken > 0) process.exitCode = 1;
}

await runBench(program);
