import { type Command, Option } from 'commander';
import type { ApiKey } from '../graders/index.ts';
import type { ProviderChoice } from '../runs/judge.ts';
import { positive } from './options.ts';

/** What a command knows of a server that it asks. */
export interface ServerFlags {
  baseUrl: string;
  /** False: the server wants none. */
  key: boolean;
  keyVariable: string;
  keyFile?: string;
  allowLoopback?: boolean;
  timeout: number;
}

/** What a command knows of a language model that it asks. */
export interface ProviderFlags extends ServerFlags {
  model?: string;
  textReplies?: boolean;
  stream?: boolean;
}

/** Where a server is, and how it is asked. */
export const addServerOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--base-url <url>', 'OpenAI-compatible server')
        .env('DELTASCOPE_LLM_URL')
        .default('https://api.openai.com/v1'),
    )
    .option('--key-variable <name>', 'environment variable that holds the key', 'DELTASCOPE_LLM_KEY')
    .option('--key-file <file>', 'file that holds the key instead, for its owner only (chmod 600)')
    .option('--no-key', 'the server wants none')
    .option('--allow-loopback', 'the base URL may be this machine, and http')
    .option('--timeout <s>', 'seconds for a whole reply', positive, 300);

/** @throws CodedError KEY_MISSING, KEY_EXPOSED, KEY_INVALID */
export async function keyOf({ key, keyFile, keyVariable }: ServerFlags): Promise<ApiKey | null> {
  const { readKey } = await import('../graders/index.ts');
  return key
    ? readKey(keyFile === undefined ? { variable: keyVariable } : { file: keyFile }, process.env)
    : null;
}

/**
 * The same options on every command that asks a language model.
 * @param words what the model does there, and what it replies with
 */
export const addProviderOptions = (
  command: Command,
  { does, replies }: { does: string; replies: string },
): Command =>
  addServerOptions(
    command.option(
      '--model <name>',
      `language model that ${does}, at the base URL; local:<folder> for a checkpoint`,
    ),
  )
    .option('--text-replies', `${replies} as lines of text: for models that call no functions`)
    .option('--stream', 'take replies piece by piece');

/** Whether a name is that of a checkpoint, which has no server and no key. */
export const isLocal = (model: string): boolean => model.startsWith('local:');

/** @throws CodedError KEY_MISSING, KEY_EXPOSED, KEY_INVALID */
export async function providerChoice(flags: ProviderFlags, model: string): Promise<ProviderChoice> {
  return {
    model,
    baseUrl: flags.baseUrl,
    key: isLocal(model) ? null : await keyOf(flags),
    loopback: flags.allowLoopback,
    callsFunctions: !flags.textReplies,
    stream: flags.stream,
    timeoutMs: 1000 * flags.timeout,
  };
}
