import { type Command, Option } from 'commander';
import { CodedError } from '../lib/coded-error.ts';
import type { Provider } from '../graders/index.ts';
import { positive } from './options.ts';

/** What a command knows of the language model that answers. */
export interface ProviderFlags {
  model?: string;
  baseUrl: string;
  /** False: the server wants none. */
  key: boolean;
  keyVariable: string;
  keyFile?: string;
  allowLoopback?: boolean;
  textReplies?: boolean;
  stream?: boolean;
  timeout: number;
}

export const addProviderOptions = (command: Command): Command =>
  command
    .option(
      '--model <name>',
      'language model that is the agent, at the base URL; local:<folder> for a checkpoint',
    )
    .addOption(
      new Option('--base-url <url>', 'OpenAI-compatible server')
        .env('DELTASCOPE_LLM_URL')
        .default('https://api.openai.com/v1'),
    )
    .option('--key-variable <name>', 'environment variable that holds the key', 'DELTASCOPE_LLM_KEY')
    .option('--key-file <file>', 'file that holds the key instead, for its owner only (chmod 600)')
    .option('--no-key', 'the server wants none')
    .option('--allow-loopback', 'the base URL may be this machine, and http')
    .option('--text-replies', 'calls as lines of text: for models that call no functions')
    .option('--stream', 'take replies piece by piece')
    .option('--timeout <s>', 'seconds for a whole reply', positive, 300);

/**
 * Hands somebody who answers to some work, and closes what was opened for it.
 * @throws CodedError INVALID_ARGUMENT without a model; KEY_MISSING, KEY_EXPOSED, KEY_INVALID
 */
export async function withProvider<T>(
  flags: ProviderFlags,
  signal: AbortSignal,
  work: (provider: Provider, named: (model: string) => Provider) => Promise<T>,
): Promise<T> {
  const { model } = flags;
  if (model === undefined)
    throw new CodedError(
      'INVALID_ARGUMENT',
      'name the language model with --model, or read without one: --offline',
    );
  const { localModel, openAiCompatible, readKey } = await import('../graders/index.ts');
  if (model.startsWith('local:')) {
    const folder = model.slice('local:'.length);
    const [{ Model }, { folderDigest }, { basename, resolve }] = [
      await import('../native/index.ts'),
      await import('../runs/digest.ts'),
      await import('node:path'),
    ];
    const opened = await Model.open(folder, { signal });
    try {
      const digest = await folderDigest(folder, signal);
      const provider = localModel(opened, { name: basename(resolve(folder)), digest });
      return await work(provider, () => provider);
    } finally {
      opened.close();
    }
  }
  const source = flags.keyFile === undefined ? { variable: flags.keyVariable } : { file: flags.keyFile };
  const key = flags.key ? readKey(source, process.env) : null;
  const named = (name: string) =>
    openAiCompatible({
      model: name,
      baseUrl: flags.baseUrl,
      key,
      loopback: flags.allowLoopback,
      callsFunctions: !flags.textReplies,
      stream: flags.stream,
      timeoutMs: 1000 * flags.timeout,
    });
  return work(named(model), named);
}
