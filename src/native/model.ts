import { availableParallelism } from 'node:os';
import { resolve, sep } from 'node:path';
import { openTokenizer, type Tokenizer, TokenizerError } from '../tokenizer/index.ts';
import { addon, type ModelHandle, type NativeRanking, type NativeSpec } from './addon.ts';
import { compute, type ComputeOptions } from './compute.ts';
import { NativeError } from './errors.ts';
import { checkedMode, type Mode, roundToBfloat16 } from './mode.ts';
import { crossEntropy, type CrossEntropy, type CrossEntropyOptions } from './cross-entropy.ts';
import { embed, type EmbedOptions } from './embed.ts';
import { given } from './given.ts';
import { generate, type GenerateOptions, type Generation } from './generate.ts';
import { patchscope, type PatchscopeOptions } from './patchscope.ts';
import { flatten, invalid, type Tokens, whole, wholeNumbers } from './tokens.ts';
import { flattenVectors, type Vectors } from './vectors.ts';

export interface OpenOptions {
  /** Folder of a PEFT LoRA adapter to put on the checkpoint. */
  adapter?: string | undefined;
  /** Folder inside the adapter's, for repositories that hold several. */
  subfolder?: string | undefined;
  /**
   * What products are computed in: float32 (the default, as exact as float32 transformers), or bfloat16 inputs with float32
   * sums, about twice as fast where the processor has such instructions.
   */
  dtype?: 'float32' | 'bfloat16' | undefined;
  /**
   * 'auto' takes the GPU where one can be used, else the processor; `spec.device` says which. Both models of a pair must be on
   * the same. Results of a GPU differ from the processor's by rounding.
   */
  device?: 'auto' | 'cpu' | 'cuda' | undefined;
  /** CPU threads for this model's computations; all by default. Results do not depend on it. */
  threads?: number | undefined;
  /** Stops the opening, which takes a while for an adapter that replaces large tensors. */
  signal?: AbortSignal | undefined;
}

/** What config.json and the weights say about a model. */
export type ModelSpec = Readonly<NativeSpec>;

/** A vocabulary entry as a reading names it. */
export interface Token {
  id: number;
  /** The id decoded alone, leading space kept; null when the checkpoint folder has no tokenizer. */
  text: string | null;
  /** 0 to 1, softmax over the whole vocabulary. */
  probability: number;
}

export interface LensOptions extends ComputeOptions {
  /** Tokens at each end. */
  k: number;
  /** 'compat' rounds vectors and probabilities to bfloat16, as the published implementation does. */
  mode?: Mode | undefined;
}

export interface LensReading {
  /** Most promoted first: softmax(W norm(x)). */
  top: Token[];
  /** Most suppressed first: softmax(−W norm(x)). */
  bottom: Token[];
}

/** The engine's handle of an opened model. For src/native only. */
export function handleOf(model: Model, name: string): ModelHandle {
  if (!((model as unknown) instanceof Model)) throw invalid(`${name} must be a Model`);
  return model._handle();
}

/**
 * A base checkpoint, a full finetune, or a base with a LoRA adapter on it. Nothing is loaded until it is used, and then
 * layer by layer.
 */
export class Model {
  readonly folder: string;
  readonly adapter: string | null;
  readonly spec: ModelSpec;
  #handle: ModelHandle | undefined;
  #tokenizer: Tokenizer | undefined;

  private constructor(folder: string, adapter: string | null, spec: ModelSpec, handle: ModelHandle) {
    this.folder = folder;
    this.adapter = adapter;
    this.spec = spec;
    this.#handle = handle;
  }

  /**
   * Opens a Hugging Face checkpoint folder and checks every field and tensor of it.
   * @throws NativeError FILE_NOT_FOUND, FILE_UNREADABLE, INVALID_CONFIG, INVALID_SAFETENSORS, INVALID_WEIGHTS,
   *   INVALID_ADAPTER, ADAPTER_INERT, MODEL_UNSUPPORTED, DEVICE_UNAVAILABLE, ENGINE_UNAVAILABLE
   */
  static async open(dir: string, options: OpenOptions = {}): Promise<Model> {
    const {
      adapter,
      subfolder,
      device = 'auto',
      dtype = 'float32',
      threads = availableParallelism(),
    } = options;
    if (typeof dir !== 'string' || dir === '') throw invalid('the checkpoint folder must be named');
    if (adapter !== undefined && (typeof adapter !== 'string' || adapter === '')) {
      throw invalid('the adapter folder must be named, or left out');
    }
    if (subfolder !== undefined && adapter === undefined) {
      throw invalid('a subfolder is named without an adapter');
    }
    if (!['float32', 'bfloat16'].includes(dtype)) {
      throw invalid(`dtype is ${JSON.stringify(dtype)}; "float32" or "bfloat16" is expected`);
    }
    whole('threads', threads, 1, 4096);
    if (!['auto', 'cpu', 'cuda'].includes(device)) {
      throw invalid(`device is ${JSON.stringify(device)}; "auto", "cpu" or "cuda" is expected`);
    }
    const engine = addon();
    const folder = resolve(dir);
    const adapterFolder = adapter === undefined ? null : inside(resolve(adapter), subfolder);
    const { handle, spec } = await compute({ signal: options.signal }, (job) =>
      engine.open(folder, adapterFolder ?? '', dtype, device, threads, job),
    );
    return new Model(folder, adapterFolder, Object.freeze(spec), handle);
  }

  /**
   * The checkpoint's tokenizer, read on first use.
   * @throws TokenizerError TOKENIZER_MISSING, INVALID_TOKENIZER
   */
  get tokenizer(): Tokenizer {
    return (this.#tokenizer ??= openTokenizer(this.folder));
  }

  /**
   * The residual stream after decoder blocks (resid_post, 0-based; of the last block: before the final norm).
   * @returns [layer in the order asked][sequence], each [tokens · dModel] float32
   */
  async residuals(
    tokens: Tokens,
    options: ComputeOptions & { layers: readonly number[] },
  ): Promise<Float32Array[][]> {
    const { ids, offsets } = flatten(tokens);
    const layers = wholeNumbers('layers', given(options).layers);
    const handle = this._handle();
    return compute(options, (job, progress) =>
      addon().residuals(handle, ids, offsets, layers, job, progress),
    );
  }

  /** Next-token logits, a soft cap applied: [sequence], each [tokens · vocabSize] float32. */
  async logits(tokens: Tokens, options: ComputeOptions = {}): Promise<Float32Array[]> {
    const { ids, offsets } = flatten(tokens);
    const handle = this._handle();
    return compute(options, (job, progress) => addon().logits(handle, ids, offsets, job, progress));
  }

  /**
   * Reads vectors through this model's final norm and unembedding; the sign of `bottom` flips after the norm, and a soft
   * cap is not applied (nostalgebraist 2020; method of arXiv 2510.13900).
   */
  async logitLens(vectors: Vectors, options: LensOptions): Promise<LensReading[]> {
    const { k } = given(options);
    const mode = checkedMode(given(options).mode);
    const { vocabSize, dModel } = this.spec;
    whole('k', k, 1, vocabSize);
    const given32 = flattenVectors(vectors, dModel);
    const flat = mode === 'compat' ? given32.map(roundToBfloat16) : given32;
    const handle = this._handle();
    const { top, bottom } = await compute(options, (job, progress) =>
      addon().logitLens(handle, flat, k, job, progress),
    );
    // Finite values can still overflow on the way. Such a vector ranks nothing and rows would no longer line up.
    if (top.ids.length !== (flat.length / dModel) * k) {
      throw invalid('a vector is too large to be read: its norm or its logits are not finite');
    }
    const text = this._decoder();
    const read = (ranking: NativeRanking, row: number): Token[] =>
      Array.from({ length: k }, (_, rank) => {
        const id = ranking.ids[row * k + rank];
        const probability = ranking.probabilities[row * k + rank];
        if (id === undefined || probability === undefined) throw new Error('the engine returned too few ids');
        return {
          id,
          text: text?.([id]) ?? null,
          probability: mode === 'compat' ? roundToBfloat16(probability) : probability,
        };
      });
    return Array.from({ length: flat.length / dModel }, (_, row) => ({
      top: read(top, row),
      bottom: read(bottom, row),
    }));
  }

  /**
   * Patchscope: puts every vector, times every scale, in the place of the last token of identity prompts after block `layer`,
   * and reads the next token (Ghandeharioun et al. 2024, arXiv 2401.06102, as arXiv 2510.13900 uses it).
   * @returns [vector][scale], most likely first, at most k; the probability is the mean over prompts, 0 where one of them
   *   has the token not among its first `intersection`
   * @throws NativeError INVALID_ARGUMENT, CANCELLED, FILE_UNREADABLE, FILE_CHANGED, MODEL_CLOSED; TokenizerError without prompts
   */
  patchscope(vectors: Vectors, options: PatchscopeOptions): Promise<Token[][][]> {
    return patchscope(this, vectors, given(options));
  }

  /**
   * How surprised the model is by every token but the first of each text, in nats, float64; as it is, or changed after a block
   * at every token.
   * @throws NativeError INVALID_ARGUMENT, PAIR_MISMATCH, CANCELLED, FILE_UNREADABLE, FILE_CHANGED, MODEL_CLOSED
   */
  crossEntropy(tokens: Tokens, options: CrossEntropyOptions = {}): Promise<CrossEntropy> {
    return crossEntropy(this, tokens, options);
  }

  /**
   * One vector a text, for comparing texts: the last token's final activation (or the mean of all), final norm applied,
   * scaled to length 1.
   * @returns [sequence], each [dModel] float32
   * @throws NativeError INVALID_ARGUMENT (also for a text without tokens), CANCELLED, FILE_UNREADABLE, FILE_CHANGED, MODEL_CLOSED
   */
  embed(tokens: Tokens, options: EmbedOptions = {}): Promise<Float32Array[]> {
    return embed(this, tokens, options);
  }

  /**
   * Continues prompts of any lengths, in one batch: greedily or sampled, unsteered or with a vector added at every token. A
   * text depends on its prompt, its strength and the settings, not on what stands beside it. One generation a prompt, in
   * their order.
   * @throws NativeError INVALID_ARGUMENT, INVALID_CONFIG (generation_config.json), CANCELLED, OUT_OF_MEMORY, FILE_UNREADABLE,
   *   INVALID_WEIGHTS (logits that are not finite), MODEL_CLOSED
   */
  async generate(prompts: Tokens, options: GenerateOptions = {}): Promise<Generation[]> {
    return generate(this, prompts, options);
  }

  /** Lets go of the checkpoint. Computations under way finish; later ones are refused. */
  close(): void {
    if (this.#handle) addon().close(this.#handle);
    this.#handle = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal */
  _handle(): ModelHandle {
    if (this.#handle) return this.#handle;
    throw new NativeError('MODEL_CLOSED', `the model of ${this.folder} was closed`);
  }

  /** ids → text, or null where there is no tokenizer: results are still worth having then. @internal */
  _decoder(): ((ids: readonly number[]) => string) | null {
    try {
      const { tokenizer } = this;
      return (ids) => tokenizer.decode(ids);
    } catch (error) {
      if (error instanceof TokenizerError && error.code === 'TOKENIZER_MISSING') return null;
      throw error;
    }
  }
}

/** A folder in another one, or that one itself. */
function inside(folder: string, subfolder: string | undefined): string {
  if (subfolder === undefined) return folder;
  const path = typeof subfolder === 'string' ? resolve(folder, subfolder) : folder;
  if (path.startsWith(folder + sep)) return path;
  throw invalid(`subfolder is ${JSON.stringify(subfolder)}; a folder inside ${folder} is expected`);
}
