import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fileProblem } from '../lib/file-problem.ts';
import { TokenizerError } from './errors.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface ChatMessage {
  role: string;
  content: string;
}
export type Conversation = readonly ChatMessage[];

/** How a checkpoint turns a conversation into the text it was trained on. */
export interface ChatTemplate {
  /** The file it stands in. */
  path: string;
  source: string;
  /** What templates call the special tokens by: bos_token, eos_token, … */
  tokens: Readonly<Record<string, string>>;
}

// A template comes with a stranger's checkpoint and is a program: it gets this much, in a thread of its own.
const mostSeconds = 5;
const mostMegabytes = 256;
const mostCharacters = 2 ** 20;
const mostFileBytes = 2 ** 24;

const tokenNames = [
  'bos_token',
  'eos_token',
  'pad_token',
  'unk_token',
  'sep_token',
  'cls_token',
  'mask_token',
];

/**
 * The chat template of a checkpoint folder: chat_template.jinja, else the one in tokenizer_config.json (of several, the one named
 * "default"); null when it has none.
 * @throws TokenizerError INVALID_TEMPLATE, INVALID_TOKENIZER
 */
export function readChatTemplate(folder: string): ChatTemplate | null {
  const configPath = join(folder, 'tokenizer_config.json');
  const config = parseConfig(configPath);
  const tokens: Record<string, string> = {};
  for (const name of tokenNames) {
    const token = textOf(config[name], 'content');
    if (token !== undefined) tokens[name] = token;
  }
  const path = join(folder, 'chat_template.jinja');
  const file = readText(path);
  if (file !== undefined) return { path, source: file, tokens };
  const given = config['chat_template'];
  if (given === undefined || given === null) return null;
  const source = Array.isArray(given)
    ? textOf(
        given.find((entry) => textOf(entry, 'name') === 'default'),
        'template',
      )
    : given;
  if (typeof source !== 'string')
    throw new TokenizerError(
      'INVALID_TEMPLATE',
      configPath,
      'chat_template is neither a text nor a list with one named "default"',
    );
  return { path: configPath, source, tokens };
}

/**
 * Writes conversations as the template has them, up to where the model's answer begins, and with thinking turned off where
 * the template can.
 * @throws TokenizerError INVALID_TEMPLATE when it throws, takes longer than 5 s or 256 MB, or writes more than a million
 *   characters
 */
export async function renderChats(
  { path, source, tokens }: ChatTemplate,
  conversations: readonly Conversation[],
): Promise<string[]> {
  const invalid = (message: string) => new TokenizerError('INVALID_TEMPLATE', path, message);
  const variables = {
    ...tokens,
    tools: null,
    documents: null,
    add_generation_prompt: true,
    enable_thinking: false,
  };
  const worker = new Worker(renderer, {
    eval: true,
    workerData: {
      engine: createRequire(import.meta.url).resolve('@huggingface/jinja'),
      source,
      mostCharacters,
      contexts: conversations.map((messages) => ({ ...variables, messages })),
    },
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: mostMegabytes, maxYoungGenerationSizeMb: 32 },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string[]>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(invalid(`the chat template ran for more than ${mostSeconds} s`));
      }, 1000 * mostSeconds);
      worker.on('message', (answer: { texts: string[] } | { problem: string }) => {
        if ('texts' in answer) resolve(answer.texts);
        else reject(invalid(`the chat template ${answer.problem}`));
      });
      worker.on('error', (error: NodeJS.ErrnoException) => {
        reject(
          invalid(
            error.code === 'ERR_WORKER_OUT_OF_MEMORY'
              ? `the chat template took more than ${mostMegabytes} MB`
              : `the chat template fails: ${oneLine(error.message)}`,
          ),
        );
      });
      worker.on('exit', () => {
        reject(invalid('the chat template ended its thread'));
      });
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/**
 * The token ids of conversations. The template alone says which special tokens there are; a checkpoint without one gets the
 * messages as plain text, one after another, with what its tokenizer puts around a text.
 * @throws TokenizerError as readChatTemplate and renderChats
 */
export async function encodeChats(
  folder: string,
  tokenizer: Tokenizer,
  conversations: readonly Conversation[],
): Promise<number[][]> {
  const template = readChatTemplate(folder);
  if (!template)
    return conversations.map((messages) =>
      tokenizer.encode(messages.map(({ content }) => content).join('\n')),
    );
  const texts = await renderChats(template, conversations);
  return texts.map((text) => tokenizer.encode(text, { special: false }));
}

/** Runs in the thread: nothing but the template engine. */
const renderer = `
const { parentPort, workerData } = require('node:worker_threads');
const { engine, source, contexts, mostCharacters } = workerData;
const { Template } = require(engine);
try {
  const template = new Template(source);
  const texts = [];
  for (const context of contexts) {
    const text = template.render(context);
    if (text.length > mostCharacters)
      throw Object.assign(new Error(), { problem: 'writes ' + text.length + ' characters; at most ' + mostCharacters + ' are taken' });
    texts.push(text);
  }
  parentPort.postMessage({ texts });
} catch (error) {
  const message = String(error?.message ?? error).replace(/\\s+/g, ' ').slice(0, 300);
  parentPort.postMessage({ problem: error?.problem ?? 'fails: ' + message });
}
`;

function readText(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  try {
    if (statSync(path).size > mostFileBytes)
      throw new TokenizerError('INVALID_TEMPLATE', path, `is larger than ${mostFileBytes} bytes`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof TokenizerError) throw error;
    throw new TokenizerError('INVALID_TEMPLATE', path, fileProblem(error), { cause: error });
  }
}

function parseConfig(path: string): Record<string, unknown> {
  const text = readText(path);
  if (text === undefined) return {};
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new TokenizerError(
      'INVALID_TOKENIZER',
      path,
      `is not JSON (${oneLine((error as Error).message)})`,
      {
        cause: error,
      },
    );
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new TokenizerError('INVALID_TOKENIZER', path, 'is not a JSON object');
  return json as Record<string, unknown>;
}

/** A text, or the one that stands under a key of an object. */
function textOf(value: unknown, key: string): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const member: unknown = (value as Record<string, unknown>)[key];
  return typeof member === 'string' ? member : undefined;
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 300);
