import type { AgentPair, OrganismRow, RunRow, Store } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { derivedSeed } from '../lib/derived-seed.ts';
import type { Generation, Model } from '../native/index.ts';
import { type Pair, withPair } from '../runs/organism.ts';
import { finetunedNormOf, unitOf } from '../runs/stored-run.ts';
import { unchangedDigest } from '../runs/unchanged-digest.ts';
import { encodeChats } from '../tokenizer/index.ts';

/** How models answer an agent. */
export interface Answering {
  /** Of an answer at most. */
  tokens: number;
  temperature: number;
  /** Prompts as they are, not in the base's chat template. */
  plain: boolean;
}

export interface Steering {
  layer: number;
  position: number;
  /** In finetuned token norms. */
  strength: number;
}

/** The two models that an agent may talk to. The same prompts with the same seed get the same answers. */
export interface Models {
  ask(
    prompts: readonly string[],
    options: { seed: number; signal?: AbortSignal | undefined },
  ): Promise<{ base: string[]; finetuned: string[] }>;
  /** What the finetuned one says with a difference of the run added; of a null pair the base, with its own mean added. */
  steer(
    prompts: readonly string[],
    steering: Steering,
    options: { seed: number; signal?: AbortSignal | undefined },
  ): Promise<string[]>;
  close(): Promise<void>;
}

interface ModelsOf {
  store: Store;
  organism: OrganismRow;
  run: RunRow | null;
  pair: AgentPair;
  answering: Answering;
  threads?: number | undefined;
}

/** An organism's models in this process, opened when the first is asked. @throws CodedError MODEL_CHANGED where the files are others now */
export function organismModels({ store, organism, run, pair, answering, threads }: ModelsOf): Models {
  const base = store.models.getById(organism.baseModelId);
  const finetuned = pair === 'NULL' ? { path: base.path, form: 'FULL' as const } : organism;
  const done = Promise.withResolvers<undefined>();
  let working: Promise<void> | undefined;

  async function check(signal: AbortSignal | undefined): Promise<void> {
    await unchangedDigest(base, 'base model', signal);
    if (pair === 'ORGANISM') await unchangedDigest(organism, 'organism', signal);
    if (run && (run.baseDigest !== base.digest || run.finetunedDigest !== organism.digest))
      throw new CodedError(
        'MODEL_CHANGED',
        `run ${run.key} was measured on other files than "${organism.name}" has now; measure it again`,
      );
  }
  const opened = Promise.withResolvers<Pair>();
  function open(signal: AbortSignal | undefined): Promise<Pair> {
    working ??= (async () => {
      await check(signal);
      await withPair({ ...finetuned, base: base.path }, { threads, signal }, (models) => {
        opened.resolve(models);
        return done.promise;
      });
    })().catch((error: unknown) => {
      opened.reject(error as Error);
    });
    return opened.promise;
  }

  const encode = (model: Model, prompts: readonly string[]): Promise<number[][]> =>
    answering.plain
      ? Promise.resolve(prompts.map((prompt) => model.tokenizer.encode(prompt)))
      : encodeChats(
          model.folder,
          model.tokenizer,
          prompts.map((content) => [{ role: 'user', content }]),
        );
  async function write(
    { base: tokenizing }: Pair,
    model: Model,
    prompts: readonly string[],
    options: { seed: number; signal?: AbortSignal | undefined; steer?: Parameters<Model['generate']>[1] },
  ): Promise<string[]> {
    const { seed, signal, steer } = options;
    const generations = await model.generate(await encode(tokenizing, prompts), {
      ...steer,
      maxNewTokens: answering.tokens,
      temperature: answering.temperature,
      seed,
      signal,
    });
    return generations.map((generation) => textOf(tokenizing, generation));
  }

  return {
    async ask(prompts, options) {
      const models = await open(options.signal);
      return {
        base: await write(models, models.base, prompts, options),
        // By other draws: where both are the same model, its answers would be the same to the letter.
        finetuned: await write(models, models.finetuned, prompts, {
          ...options,
          seed: derivedSeed(options.seed, 'second model'),
        }),
      };
    },
    async steer(prompts, { layer, position, strength }, options) {
      if (!run) throw new CodedError('INVALID_ARGUMENT', 'there is no difference to steer by');
      const vector = store.diffVectors.findByKey(`${run.key}.L${layer}.P${position}`);
      if (!vector) throw new CodedError('NOT_FOUND', `layer ${layer} has no position ${position}`);
      const norm = finetunedNormOf(vector.layer);
      const models = await open(options.signal);
      const steer = {
        layer,
        vector: unitOf(store, vector, pair === 'NULL' ? 'BASE_MEAN' : 'DIFF').map((value) => value * norm),
        strengths: strength,
      };
      return write(models, models.finetuned, prompts, { ...options, steer: { steer } });
    },
    async close() {
      done.resolve(undefined);
      await working;
    },
  };
}

/** Without the token that ended it. */
const textOf = ({ tokenizer }: Model, { ids, finish }: Generation): string =>
  tokenizer.decode(finish === 'STOP' ? ids.slice(0, -1) : ids);
