import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { fileProblem } from '../lib/file-problem.ts';
import { NativeError } from './errors.ts';

/** What a checkpoint's generation_config.json says about choosing tokens. Null and left out are the same. */
export interface GenerationConfig {
  doSample: boolean | undefined;
  temperature: number | undefined;
  topK: number | undefined;
  topP: number | undefined;
  repetitionPenalty: number | undefined;
  /** Ids that end a text. */
  eos: number[] | undefined;
  /** Keys that we do not know, or know and do not follow. */
  ignored: string[];
}

const mostBytes = 2 ** 20;

/** Keys that say nothing about which token is chosen, or that a caller of generate always says anew. */
const harmless = new Set([
  ...['_from_model_config', 'transformers_version', 'use_cache', 'cache_implementation', 'cache_config'],
  ...[
    'return_dict_in_generate',
    'output_attentions',
    'output_hidden_states',
    'output_scores',
    'output_logits',
  ],
  ...['bos_token_id', 'pad_token_id', 'max_length', 'max_new_tokens', 'disable_compile', 'compile_config'],
]);

const tokenId = z
  .int()
  .min(0)
  .max(2 ** 31 - 1);
const tokenIds = z.union([tokenId.transform((id) => [id]), z.array(tokenId).max(1000)]);
const schema = z.object({
  do_sample: z.boolean().nullish(),
  temperature: z.number().min(0).nullish(),
  top_k: z.int().min(0).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().positive().nullish(),
  eos_token_id: tokenIds.nullish(),
});

/**
 * Reads generation_config.json of a checkpoint folder; one that is missing says nothing.
 * @throws NativeError INVALID_CONFIG naming file and field, FILE_UNREADABLE
 */
export function readGenerationConfig(folder: string): GenerationConfig {
  const path = join(folder, 'generation_config.json');
  const json = readObject(path);
  const config = parse(path, schema, json);
  return {
    doSample: config.do_sample ?? undefined,
    temperature: config.temperature ?? undefined,
    topK: config.top_k ?? undefined,
    topP: config.top_p ?? undefined,
    repetitionPenalty: config.repetition_penalty ?? undefined,
    eos: config.eos_token_id ?? undefined,
    ignored: Object.keys(json).filter(
      (key) => json[key] !== null && !Object.hasOwn(schema.shape, key) && !harmless.has(key),
    ),
  };
}

const modelSchema = z.object({
  eos_token_id: tokenIds.nullish(),
  text_config: z.object({ eos_token_id: tokenIds.nullish() }).nullish(),
});

/** The ids that end a text by a checkpoint's config.json; undefined when it names none. @throws as readGenerationConfig */
export function readConfiguredEos(folder: string): number[] | undefined {
  const path = join(folder, 'config.json');
  const config = parse(path, modelSchema, readObject(path));
  return config.eos_token_id ?? config.text_config?.eos_token_id ?? undefined;
}

function readObject(path: string): Record<string, unknown> {
  if (!existsSync(path)) return {};
  let text: string;
  try {
    if (statSync(path).size > mostBytes) throw invalid(path, '', `is larger than ${mostBytes} bytes`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof NativeError) throw error;
    throw new NativeError('FILE_UNREADABLE', `${path}: ${fileProblem(error)}`, {
      details: { file: path },
      cause: error,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalid(path, '', `is not JSON (${(error as Error).message.replace(/\s+/g, ' ')})`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw invalid(path, '', 'is not a JSON object');
  return json as Record<string, unknown>;
}

function parse<T>(path: string, type: z.ZodType<T>, json: Record<string, unknown>): T {
  const result = type.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.map(String).join('.') ?? '';
  const value = issue?.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    json,
  );
  const found = (JSON.stringify(value) ?? String(value)).slice(0, 100);
  const wanted =
    issue?.path[0] === 'eos_token_id' || issue?.path[1] === 'eos_token_id'
      ? 'a token id or a list of them is expected'
      : (issue?.message ?? 'it cannot be read');
  throw invalid(path, field, `${field} is ${found}: ${wanted}`);
}

const invalid = (file: string, field: string, message: string): NativeError =>
  new NativeError('INVALID_CONFIG', `${file}: ${message}`, { details: { file, ...(field && { field }) } });
