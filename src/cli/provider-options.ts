import { type Command, Option } from 'commander';
import type { ProviderChoice } from '../runs/judge.ts';
import { positive } from './options.ts';

/** What a command knows of a language model that it asks. */
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

/**
 * The same options on every command that asks a language model.
 * @param words what the model does there, and what it replies with
 */
export const addProviderOptions = (
  command: Command,
  { does, replies }: { does: string; replies: string },
): Command =>
  command
    .option('--model <name>', `language model that ${does}, at the base URL; local:<folder> for a checkpoint`)
    .addOption(
      new Option('--base-url <url>', 'OpenAI-compatible server')
        .env('DELTASCOPE_LLM_URL')
        .default('https://api.openai.com/v1'),
    )
    .option('--key-variable <name>', 'environment variable that holds the key', 'DELTASCOPE_LLM_KEY')
    .option('--key-file <file>', 'file that holds the key instead, for its owner only (chmod 600)')
    .option('--no-key', 'the server wants none')
    .option('--allow-loopback', 'the base URL may be this machine, and http')
    .option('--text-replies', `${replies} as lines of text: for models that call no functions`)
    .option('--stream', 'take replies piece by piece')
    .option('--timeout <s>', 'seconds for a whole reply', positive, 300);

/** Whether a name is that of a checkpoint, which has no server and no key. */
export const isLocal = (model: string): boolean => model.startsWith('local:');

/** @throws CodedError KEY_MISSING, KEY_EXPOSED, KEY_INVALID */
export async function providerChoice(flags: ProviderFlags, model: string): Promise<ProviderChoice> {
  const { readKey } = await import('../graders/index.ts');
  const source = flags.keyFile === undefined ? { variable: flags.keyVariable } : { file: flags.keyFile };
  return {
    model,
    baseUrl: flags.baseUrl,
    key: isLocal(model) || !flags.key ? null : readKey(source, process.env),
    loopback: flags.allowLoopback,
    callsFunctions: !flags.textReplies,
    stream: flags.stream,
    timeoutMs: 1000 * flags.timeout,
  };
}
