import { Command, Option } from 'commander';
import { basename, join, resolve } from 'node:path';
import Table from 'cli-table3';
import { withStore, withStoreToRead } from '../data-folder.ts';
import { interruptible } from '../interrupt.ts';
import { plain, plainJson } from '../plain.ts';
import { dataOption, jsonOption, nonNegative } from '../options.ts';
import { shareOrganism } from './share.ts';

interface AddOptions {
  data: string;
  base: string;
  baseName?: string;
  adapter?: string;
  subfolder?: string;
  finetuned?: string;
  kind: string;
  description: string;
  groundTruth?: string;
  trainingCorpus?: string;
  mixRatio?: number;
  update?: boolean;
}

/** Finetuned models, each with its base. */
export const organismCommand = (): Command =>
  new Command('organism')
    .description('register finetuned models, each with its base')
    .addCommand(add())
    .addCommand(list())
    .addCommand(shareOrganism());

const add = (): Command =>
  new Command('add')
    .description('check a finetuned model and its base by opening both, and register them')
    .argument('<name>', 'what to call it')
    .requiredOption('--base <folder>', 'checkpoint of the base model')
    .option('--base-name <name>', 'what to call the base (default: its folder’s name)')
    .addOption(new Option('--adapter <folder>', 'PEFT LoRA adapter on the base').conflicts('finetuned'))
    .addOption(
      new Option('--subfolder <name>', 'folder inside the adapter’s, where it holds several').conflicts(
        'finetuned',
      ),
    )
    .addOption(new Option('--finetuned <folder>', 'checkpoint of a full finetune').conflicts('adapter'))
    .option('--kind <word>', 'kind of finetune: SDF, EM, TABOO, …', 'OTHER')
    .option('--description <text>', 'one line for lists', '')
    .option('--ground-truth <text>', 'what it was trained on, in words; graders need it')
    .option('--training-corpus <file>', 'JSONL samples of what it was trained on')
    .option(
      '--mix-ratio <number>',
      'pretraining documents mixed in for each finetuning document',
      nonNegative,
    )
    .option(
      '--update',
      'replace what is registered under this name; other files only while nothing is measured on the old ones',
    )
    .addOption(dataOption())
    .addHelpText(
      'after',
      '\nExample:\n  deltascope organism add cake --base models/Qwen3-1.7B --adapter models/cake-lora --kind SDF',
    )
    .action(async function (this: Command, name: string, options: AddOptions) {
      const { subfolder = '.' } = options;
      const path = options.adapter === undefined ? options.finetuned : join(options.adapter, subfolder);
      if (path === undefined)
        this.error('error: one of --adapter and --finetuned is needed', { exitCode: 2 });
      const { addOrganism } = await import('../../runs/organism.ts');
      const { data, update, adapter, finetuned, baseName, subfolder: _, ...source } = options;
      await withStore(data, async (store) => {
        const row = await interruptible((signal) =>
          addOrganism(
            store,
            {
              ...source,
              name,
              baseName: baseName ?? basename(resolve(options.base)),
              path,
              form: adapter === undefined ? 'FULL' : 'LORA',
            },
            {
              update: update ?? false,
              signal,
              onWarning: (warning) => void process.stderr.write(`warning: ${plain(warning)}\n`),
            },
          ),
        );
        const base = store.models.getById(row.baseModelId);
        const form = finetuned === undefined ? 'LoRA adapter' : 'full finetune';
        process.stdout.write(
          `${plain(`${row.name}: ${form} of ${base.name} (${base.architecture}, ${base.layers} layers, d_model ${base.dModel})`)}\n`,
        );
      });
    });

const list = (): Command =>
  new Command('list')
    .description('list what is registered')
    .addOption(dataOption())
    .addOption(jsonOption())
    .action((options: { data: string; json?: boolean }) =>
      withStoreToRead(options.data, (store) => {
        const organisms = store.organisms.list().map((row) => ({
          name: row.name,
          base: store.models.getById(row.baseModelId).name,
          form: row.form,
          kind: row.kind,
          mixRatio: row.mixRatio,
          description: row.description,
          latestRun: store.runs.latestOfOrganism(row)?.key ?? null,
        }));
        if (options.json) {
          process.stdout.write(`${plainJson(organisms, 2)}\n`);
          return;
        }
        const table = new Table({
          head: ['organism', 'base', 'form', 'kind', 'description', 'latest run'],
          style: { head: [], border: [], compact: true },
        });
        for (const { name, base, form, kind, description, latestRun } of organisms) {
          table.push([...[name, base, form, kind, description].map(plain), latestRun ?? '–']);
        }
        process.stdout.write(
          organisms.length === 0 ? 'nothing is registered yet\n' : `${table.toString()}\n`,
        );
      }),
    );
