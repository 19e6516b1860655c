import { addon } from './addon.ts';
import { compute, type ComputeOptions } from './compute.ts';
import { readConfiguredEos, readGenerationConfig } from './generation-config.ts';
import { handleOf, type Model } from './model.ts';
import { flatten, invalid, type Tokens, whole } from './tokens.ts';
import { streamDecoder } from './stream-decoder.ts';

export interface GenerateOptions extends ComputeOptions {
  /**
   * `strength` · vector is added to the residual stream after block `layer`, at every token of the prompt and of the text; one
   * strength, or one a prompt.
   */
  steer?: { layer: number; vector: ArrayLike<number>; strengths: number | readonly number[] } | undefined;
  /** 128 by default. */
  maxNewTokens?: number | undefined;
  /** 0 takes the most probable token. What is left out of these four comes from generation_config.json, else is 0 unless its do_sample is true, 50, 1 and 1. */
  temperature?: number | undefined;
  /** Only this many most probable tokens are drawn from; 0: all. */
  topK?: number | undefined;
  /** Only the most probable tokens that have this probability together are drawn from. */
  topP?: number | undefined;
  repetitionPenalty?: number | undefined;
  /** 0 by default. The same seed and prompt give the same text, whatever the batch. */
  seed?: number | undefined;
  /** Ids that end a text; those of generation_config.json or config.json by default. */
  stop?: readonly number[] | undefined;
  /** Ends a text whose tail is the same 1 to 32 tokens this many times in a row; 0, the default: never. */
  stopRepetition?: number | undefined;
  /**
   * Called with every token as it is chosen. `text`: what it adds to the text, '' while a character is incomplete, null without a
   * tokenizer. What it throws ends the computation and is passed on.
   */
  onToken?: ((token: { prompt: number; id: number; text: string | null }) => void) | undefined;
  /**
   * Bytes that weights and what attention remembers may take; three quarters of the memory that is free by default. Weights
   * beyond it are read again at every token.
   */
  memoryBudget?: number | undefined;
}

/** What a text was generated with. */
export interface GenerationSettings {
  temperature: number;
  topK: number;
  topP: number;
  repetitionPenalty: number;
  seed: number;
  stop: number[];
  maxNewTokens: number;
  stopRepetition: number;
  /** Names of the settings above that generation_config.json decided. */
  defaultsFrom: string[];
  /** Keys of generation_config.json that are not followed. */
  ignored: string[];
}

export interface Generation {
  /** After the prompt, with the token that ended the text. */
  ids: number[];
  /** Special tokens included; null when the checkpoint folder has no tokenizer. */
  text: string | null;
  finish: 'STOP' | 'LENGTH' | 'REPETITION';
  settings: GenerationSettings;
}

const finishes = ['STOP', 'LENGTH', 'REPETITION'] as const;
const most = 2 ** 52;

/** Continues prompts; see Model.generate. */
export async function generate(
  model: Model,
  prompts: Tokens,
  options: GenerateOptions = {},
): Promise<Generation[]> {
  const handle = handleOf(model, 'model');
  const { ids, offsets } = flatten(prompts);
  const settings = chooseSettings(model, options);
  const { layer, vector, strengths } = steering(options.steer, prompts.length);
  const memoryBudget = whole('memoryBudget', options.memoryBudget ?? freeMemory(), 1, most);
  const text = model._decoder();

  const streams = new Map<number, (id: number) => string>();
  const listener = new AbortController();
  let thrown: { error: unknown } | undefined; // by the caller's own onToken
  const { onToken } = options;
  const onNativeToken =
    onToken &&
    ((prompt: number, id: number) => {
      if (thrown) return;
      try {
        let stream = streams.get(prompt);
        if (text && !stream) streams.set(prompt, (stream = streamDecoder(text)));
        onToken({ prompt, id, text: stream ? stream(id) : null });
      } catch (error) {
        thrown = { error };
        listener.abort();
      }
    });
  const signal = options.signal ? AbortSignal.any([options.signal, listener.signal]) : listener.signal;
  try {
    const result = await compute({ ...options, signal }, (job, progress) =>
      addon().generate(
        handle,
        ids,
        offsets,
        layer,
        vector,
        strengths,
        Float64Array.of(settings.temperature, settings.topP, settings.repetitionPenalty),
        Float64Array.of(
          settings.topK,
          settings.seed,
          settings.maxNewTokens,
          settings.stopRepetition,
          memoryBudget,
        ),
        Int32Array.from(settings.stop),
        job,
        progress,
        onNativeToken,
      ),
    );
    if (!thrown) {
      return prompts.map((_, i) => {
        const own = Array.from(result.ids.subarray(result.offsets[i], result.offsets[i + 1]));
        const finish = finishes[result.finishes[i] ?? -1];
        if (finish === undefined) throw new Error('the engine returned too few texts');
        return { ids: own, text: text ? text(own) : null, finish, settings };
      });
    }
  } catch (error) {
    if (!thrown) throw error;
  }
  throw thrown.error;
}

function chooseSettings(model: Model, options: GenerateOptions): GenerationSettings {
  const config = readGenerationConfig(model.folder);
  const defaultsFrom: string[] = [];
  const choose = (
    name: string,
    given: number | undefined,
    configured: number | undefined,
    otherwise: number,
  ) => {
    if (given !== undefined || configured === undefined) return given ?? otherwise;
    defaultsFrom.push(name);
    return configured;
  };
  const sampled = config.doSample === true ? (config.temperature ?? 1) : 0;
  const settings = {
    temperature: number(
      'temperature',
      choose('temperature', options.temperature, config.doSample === undefined ? undefined : sampled, 0),
      0,
    ),
    topK: whole('topK', choose('topK', options.topK, config.topK, 50), 0, most),
    topP: number('topP', choose('topP', options.topP, config.topP, 1), 0, 1),
    repetitionPenalty: number(
      'repetitionPenalty',
      choose('repetitionPenalty', options.repetitionPenalty, config.repetitionPenalty, 1),
      Number.MIN_VALUE,
    ),
    seed: whole('seed', options.seed ?? 0, 0, Number.MAX_SAFE_INTEGER),
    stop: chooseStop(model, options.stop, config.eos, defaultsFrom),
    maxNewTokens: whole('maxNewTokens', options.maxNewTokens ?? 128, 1, most),
    stopRepetition: whole('stopRepetition', options.stopRepetition ?? 0, 0, most),
  };
  if (settings.stopRepetition === 1)
    throw invalid('stopRepetition is 1; 0, or a whole number from 2, is expected');
  return { ...settings, defaultsFrom, ignored: config.ignored };
}

function chooseStop(
  model: Model,
  given: readonly number[] | undefined,
  configured: number[] | undefined,
  defaultsFrom: string[],
): number[] {
  const { vocabSize } = model.spec;
  if (given !== undefined) {
    if (!Array.isArray(given)) throw invalid('stop must be a list of token ids');
    return given.map((id: unknown) => whole('stop', id, 0, vocabSize - 1));
  }
  if (configured) defaultsFrom.push('stop');
  // Ids beyond the vocabulary, which some files name, can never come.
  return (configured ?? readConfiguredEos(model.folder) ?? []).filter((id) => id < vocabSize);
}

function steering(
  steer: GenerateOptions['steer'],
  prompts: number,
): { layer: number; vector: Float32Array; strengths: Float32Array } {
  if (!steer) return { layer: -1, vector: new Float32Array(0), strengths: new Float32Array(prompts) };
  const { layer, vector, strengths } = steer as Partial<typeof steer>;
  if (typeof vector !== 'object' || (vector as unknown) === null || !Number.isSafeInteger(vector.length)) {
    throw invalid('steer.vector must be a list of numbers');
  }
  if (typeof strengths !== 'number' && !Array.isArray(strengths)) {
    throw invalid('steer.strengths must be a number, or a list with one a prompt');
  }
  const list: readonly unknown[] =
    typeof strengths === 'number' ? Array.from({ length: prompts }, () => strengths) : strengths;
  if (list.length !== prompts) {
    throw invalid(`steer.strengths has ${list.length} values for ${prompts} prompts`);
  }
  list.forEach((strength, i) => {
    if (typeof strength !== 'number' || !Number.isFinite(Math.fround(strength)))
      throw invalid(`steer.strengths[${i}] is ${String(strength)}; a finite number is expected`);
  });
  const values = Float32Array.from(vector);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    throw invalid(
      `steer.vector[${wrong}] is ${String(vector[wrong])}; a vector of finite values is expected`,
    );
  return {
    layer: whole('steer.layer', layer, 0, 2 ** 31 - 1),
    vector: values,
    strengths: Float32Array.from(list as readonly number[]),
  };
}

/** Bytes that may be taken without driving the machine, or the container, out of memory. */
const freeMemory = (): number => Math.max(1, Math.floor(0.75 * process.availableMemory()));

function number(name: string, value: unknown, low: number, high = Infinity): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= low && value <= high) return value;
  const range =
    low === Number.MIN_VALUE ? 'above 0' : high === Infinity ? `from ${low}` : `from ${low} to ${high}`;
  throw invalid(`${name} is ${String(value)}; a number ${range} is expected`);
}
