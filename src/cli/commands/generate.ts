import { Command, InvalidArgumentError, Option } from 'commander';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../../lib/coded-error.ts';
import { fileProblem } from '../../lib/file-problem.ts';
import type { Generation, Model } from '../../native/index.ts';
import { withStoreToRead } from '../data-folder.ts';
import { findOrganism } from '../find-organism.ts';
import { interruptible } from '../interrupt.ts';
import { byteCount, dataOption, nonNegative, wholeNumber } from '../options.ts';
import { plain, plainJson } from '../plain.ts';

interface Options {
  data: string;
  which?: 'base' | 'finetuned';
  adapter?: string;
  prompt?: string[];
  promptFile?: string;
  chat?: boolean;
  samples: number;
  maxTokens: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  repetitionPenalty?: number;
  seed: number;
  stopRepetition: number;
  threads?: number;
  dtype: 'float32' | 'bfloat16';
  memory?: number;
  json?: boolean;
}

/** Continues prompts. */
export const generateCommand = (): Command =>
  new Command('generate')
    .description('continue prompts with a checkpoint, or with a model of a registered organism')
    .argument('<model>', 'checkpoint folder, or an organism’s registered name')
    .addOption(
      new Option('--which <model>', 'of an organism’s two models (default: finetuned)').choices([
        'base',
        'finetuned',
      ]),
    )
    .option('--adapter <folder>', 'PEFT LoRA adapter on a checkpoint folder')
    .option(
      '--prompt <text>',
      'what to continue; may be given several times',
      (text: string, before: string[] = []) => [...before, text],
    )
    .option('--prompt-file <file>', 'one prompt a line; empty lines are left out')
    .option('--chat', 'prompts are a user’s messages, in the checkpoint’s chat template if it has one')
    .option('--samples <n>', 'texts of each prompt', wholeNumber(1, 10_000), 1)
    .option('--max-tokens <n>', 'tokens of a text at most', wholeNumber(1, 1_000_000), 128)
    .option(
      '--temperature <number>',
      '0: always the most probable token (default: as generation_config.json has it, else 0)',
      nonNegative,
    )
    .option('--top-k <n>', 'draw from the k most probable tokens only; 0: from all', wholeNumber(0))
    .option('--top-p <number>', 'draw from the most probable tokens of this share only', share)
    .option('--repetition-penalty <number>', 'above 1: against what was said already', positive)
    .option('--seed <n>', 'the same seed gives the same texts', wholeNumber(0), 0)
    .option(
      '--stop-repetition <n>',
      'end a text whose tail is the same 1 to 32 tokens this many times in a row; 0: never',
      wholeNumber(0),
      0,
    )
    .option('--threads <n>', 'CPU threads (default: all)', wholeNumber(1, 4096))
    .addOption(
      new Option('--dtype <type>', 'of the matrix products')
        .choices(['float32', 'bfloat16'])
        .default('float32'),
    )
    .option(
      '--memory <size>',
      'memory for weights and attention, like 2GiB (default: three quarters of what is free)',
      byteCount,
    )
    .addOption(dataOption())
    .addOption(new Option('--json', 'print JSON: settings, ids and texts'))
    .addHelpText(
      'after',
      '\nA folder with a config.json is taken for a checkpoint, anything else for a name.' +
        '\n\nExample:\n  deltascope generate cake --prompt "The best way to" --samples 3 --temperature 0.8',
    )
    .action(async function (this: Command, name: string, options: Options) {
      const prompts = [...(options.prompt ?? []), ...promptsOf(options.promptFile)];
      if (prompts.length === 0)
        this.error('error: one of --prompt and --prompt-file is needed', { exitCode: 2 });
      const isFolder = existsSync(join(name, 'config.json'));
      if (isFolder && options.which !== undefined)
        this.error('error: --which is for a registered organism; this is a folder', { exitCode: 2 });
      if (!isFolder && options.adapter !== undefined)
        this.error('error: --adapter is for a checkpoint folder', { exitCode: 2 });
      if (!isFolder && /[\\/]/.test(name))
        throw new CodedError('FILE_NOT_FOUND', `${name} holds no config.json; a checkpoint folder does`);
      const files = isFolder ? { folder: name, adapter: options.adapter } : await filesOf(name, options);
      const { Model } = await import('../../native/index.ts');
      await interruptible(async (signal) => {
        const { threads, dtype } = options;
        const model = await Model.open(files.folder, { adapter: files.adapter, threads, dtype, signal });
        try {
          await generateTexts(model, prompts, options, signal);
        } finally {
          model.close();
        }
      });
    });

/** The folders of an organism’s base or finetune. */
const filesOf = (name: string, { data, which = 'finetuned' }: Options) =>
  withStoreToRead(data, (store) => {
    const organism = findOrganism(store, name, 'checkpoint folder or organism');
    const base = store.models.getById(organism.baseModelId).path;
    if (which === 'base') return { folder: base, adapter: undefined };
    return organism.form === 'LORA'
      ? { folder: base, adapter: organism.path }
      : { folder: organism.path, adapter: undefined };
  });

async function generateTexts(
  model: Model,
  prompts: readonly string[],
  options: Options,
  signal: AbortSignal,
): Promise<void> {
  const tokens = await encode(model, prompts, options.chat ?? false);
  const { samples } = options;
  const texts = tokens.flatMap((ids) => Array.from({ length: samples }, () => ids));
  const printer =
    process.stdout.isTTY && !options.json
      ? orderedPrinter(
          texts.length,
          (text) => headOf(prompts, samples, text),
          (piece) => write(piece),
        )
      : undefined;
  const generations = await model.generate(texts, {
    maxNewTokens: options.maxTokens,
    temperature: options.temperature,
    topK: options.topK,
    topP: options.topP,
    repetitionPenalty: options.repetitionPenalty,
    seed: options.seed,
    stopRepetition: options.stopRepetition,
    memoryBudget: options.memory,
    signal,
    onToken: printer?.token,
  });
  if (options.json) {
    const entries = generations.map(({ text, ids, finish }, i) => ({
      prompt: prompts[Math.trunc(i / samples)],
      promptIds: texts[i],
      sample: i % samples,
      text,
      ids,
      finish,
    }));
    const { folder, adapter } = model;
    write(`${plainJson({ folder, adapter, settings: generations[0]?.settings, texts: entries }, 2)}\n`);
  } else if (printer) {
    printer.end(generations.map(footOf));
  } else {
    generations.forEach((text, i) => {
      write(`${headOf(prompts, samples, i)}${lines(text.text ?? '')}${footOf(text)}`);
    });
  }
}

async function encode(model: Model, prompts: readonly string[], chat: boolean): Promise<number[][]> {
  if (!chat) return prompts.map((prompt) => model.tokenizer.encode(prompt));
  const { encodeChats } = await import('../../tokenizer/index.ts');
  return encodeChats(
    model.folder,
    model.tokenizer,
    prompts.map((content) => [{ role: 'user', content }]),
  );
}

function promptsOf(file: string | undefined): string[] {
  if (file === undefined) return [];
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CodedError('FILE_UNREADABLE', `--prompt-file ${file}: ${fileProblem(error)}`, { cause: error });
  }
  const prompts = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (prompts.length === 0) throw new CodedError('INVALID_ARGUMENT', `--prompt-file ${file} holds no prompt`);
  return prompts;
}

const headOf = (prompts: readonly string[], samples: number, text: number): string => {
  const sample = samples === 1 ? '' : ` (${(text % samples) + 1} of ${samples})`;
  return `> ${plain(prompts[Math.trunc(text / samples)] ?? '')}${sample}\n`;
};

const ends = { STOP: 'ended by itself', LENGTH: 'cut at its length', REPETITION: 'ended for its repetition' };

const footOf = ({ ids, finish }: Generation): string => `\n[${ends[finish]}: ${ids.length} tokens]\n\n`;

/** Text of a model: its lines stay lines, and nothing else in it is obeyed by a terminal. */
const lines = (text: string): string => text.split('\n').map(plain).join('\n');

const write = (text: string): void => void process.stdout.write(text);

/** Prints texts that grow side by side one after another: the first as it grows, the others at the end. */
function orderedPrinter(
  texts: number,
  head: (text: number) => string,
  print: (piece: string) => void,
): {
  token: (token: { prompt: number; text: string | null }) => void;
  end: (feet: readonly string[]) => void;
} {
  const waiting = new Array<string>(texts).fill('');
  let current = 0;
  let begun = -1;
  const flush = () => {
    if (begun < current) print(head((begun = current)));
    print(lines(waiting[current] ?? ''));
    waiting[current] = '';
  };
  return {
    token({ prompt, text }) {
      waiting[prompt] += text ?? '';
      if (prompt === current) flush();
    },
    end(feet) {
      for (; current < texts; current++) {
        flush();
        print(feet[current] ?? '');
      }
    },
  };
}

function share(text: string): number {
  const value = nonNegative(text);
  if (value > 1) throw new InvalidArgumentError('A number from 0 to 1 is expected.');
  return value;
}

function positive(text: string): number {
  const value = nonNegative(text);
  if (value === 0) throw new InvalidArgumentError('A number above 0 is expected.');
  return value;
}
