import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../lib/package-root.ts';
import { NativeError } from './errors.ts';

/** An opened model on the engine's side. */
export type ModelHandle = { readonly model: unique symbol };
/** A running computation, for cancelling it. */
export type JobHandle = { readonly job: unique symbol };
export type NativeProgress = (done: number, total: number) => void;

export interface NativeSpec {
  architecture: string;
  family: string;
  layers: number;
  dModel: number;
  dMlp: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocabSize: number;
  parameters: number;
  dtype: string;
  /** Of the linear layers' products: 'float32', or 'bfloat16' with float32 sums. */
  computeDtype: 'float32' | 'bfloat16';
  /** Where its computations run. */
  device: 'cpu' | 'cuda';
  tiedHead: boolean;
  unknownConfigKeys: string[];
  adapter: NativeAdapter | null;
}

export interface NativeAdapter {
  parameters: number;
  /** `replaced`: the module's weight is another one, not an updated one. */
  modules: { module: string; changeNorm: number; replaced: boolean }[];
  /** The base that adapter_config.json names, a path or a repository; '' for none. */
  baseName: string;
  /** Tensors of other parts of a larger model (its vision tower) that were passed over. */
  foreignTensors: number;
  /** Where a few tokens first tell the adapted model from its base ("embedding", "layer 3", "head"), and by how much. */
  canary: { movedAt: string; relativeChange: number };
}

export interface NativeRanking {
  ids: Int32Array;
  probabilities: Float64Array;
}

export interface NativeDiff {
  meanDiff: Float32Array;
  baseMean: Float32Array;
  finetunedMean: Float32Array;
  baseNorm: Float32Array;
  finetunedNorm: Float32Array;
  standardErrorNorm: Float32Array;
  splitHalfCosine: Float32Array;
  swapNormMean: Float32Array;
  swapNormDeviation: Float32Array;
  swapNormMax: Float32Array;
  baseSplitNorm: Float32Array;
  swaps: number;
  counts: Float64Array;
  samples: number;
  uniquePrefixes: number;
  waves: number;
  notFinite: number;
  baseWeightsNotFinite: number;
  finetunedWeightsNotFinite: number;
  sharedWeights: boolean;
}

export interface NativePatchscope {
  ids: Int32Array;
  probabilities: Float64Array;
  /** Tokens of each list, [vectors · scales]. */
  lengths: Float64Array;
}

export type NativeInterventionKind = 'none' | 'add' | 'remove' | 'swap';

export interface NativeCausalEffect {
  columns: number;
  counts: Float64Array;
  base: Float64Array;
  finetuned: Float64Array;
  intervened: Float64Array;
}

export interface NativeComponents {
  samples: number;
  explained: Float64Array;
  directions: Float32Array;
  total: number;
  participationRatio: number;
  meanShare: number;
}

export interface NativeTexts {
  ids: Int32Array;
  /** [texts + 1] */
  offsets: Float64Array;
  /** 0 a stop token, 1 the length, 2 a repetition */
  finishes: Int32Array;
}

/** What native/binding/addon.cpp exports. Lists of whole numbers travel as Float64Array. */
export interface Addon {
  engine(): {
    devices: { kind: 'cpu' | 'cuda'; name: string }[];
    cudaAbsence: string;
    families: { family: string; title: string; architectures: string[] }[];
    threads: number;
  };
  newJob(): JobHandle;
  cancel(job: JobHandle): void;
  /** Drops all jobs of this thread, and returns when none runs any more. Their promises stay as they are. */
  stop(): void;
  open(
    folder: string,
    adapter: string,
    dtype: 'float32' | 'bfloat16',
    device: 'auto' | 'cpu' | 'cuda',
    threads: number,
    job: JobHandle,
  ): Promise<{ handle: ModelHandle; spec: NativeSpec }>;
  close(model: ModelHandle): void;
  residuals(
    model: ModelHandle,
    ids: Int32Array,
    offsets: Float64Array,
    layers: Float64Array,
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<Float32Array[][]>;
  logits(
    model: ModelHandle,
    ids: Int32Array,
    offsets: Float64Array,
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<Float32Array[]>;
  logitLens(
    model: ModelHandle,
    vectors: Float32Array,
    k: number,
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<{ top: NativeRanking; bottom: NativeRanking }>;
  diff(
    base: ModelHandle,
    finetuned: ModelHandle,
    ids: Int32Array,
    offsets: Float64Array,
    layers: Float64Array,
    positions: Float64Array,
    memoryBudget: number,
    compat: boolean,
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<NativeDiff>;
  patchscope(
    model: ModelHandle,
    vectors: Float32Array,
    ids: Int32Array,
    offsets: Float64Array,
    layer: number,
    scales: Float32Array,
    k: number,
    intersection: number,
    norm: number,
    compat: boolean,
    wholePrompts: boolean,
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<NativePatchscope>;
  crossEntropy(
    model: ModelHandle,
    ids: Int32Array,
    offsets: Float64Array,
    kind: NativeInterventionKind,
    layer: number,
    vector: Float32Array,
    source: ModelHandle | null,
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<Float64Array[]>;
  causalEffect(
    base: ModelHandle,
    finetuned: ModelHandle,
    ids: Int32Array,
    offsets: Float64Array,
    layer: number,
    vectors: Float32Array,
    effects: Float64Array,
    mask: Int32Array,
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<NativeCausalEffect>;
  klDivergence(
    base: ModelHandle,
    finetuned: ModelHandle,
    ids: Int32Array,
    offsets: Float64Array,
    kind: NativeInterventionKind,
    layer: number,
    vector: Float32Array,
    source: ModelHandle | null,
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<{ perToken: Float64Array[]; vocabulary: number }>;
  embed(
    model: ModelHandle,
    ids: Int32Array,
    offsets: Float64Array,
    pooling: 'last' | 'mean',
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<Float32Array[]>;
  principalComponents(
    base: ModelHandle,
    finetuned: ModelHandle,
    ids: Int32Array,
    offsets: Float64Array,
    layer: number,
    positions: Float64Array,
    components: number,
    job: JobHandle,
    progress?: NativeProgress,
  ): Promise<NativeComponents[]>;
  nearest(
    query: Float32Array,
    vectors: Float32Array,
    k: number,
  ): { indices: Float64Array; cosines: Float64Array };
  generate(
    model: ModelHandle,
    ids: Int32Array,
    offsets: Float64Array,
    /** Of the steered block, −1 for none; then its vector, and a strength for every prompt. */
    layer: number,
    vector: Float32Array,
    strengths: Float32Array,
    /** temperature, topP, repetitionPenalty */
    sampling: Float64Array,
    /** topK, seed, maxNewTokens, stopRepetition, memoryBudget */
    numbers: Float64Array,
    stop: Int32Array,
    job: JobHandle,
    progress?: NativeProgress,
    tokens?: (prompt: number, id: number) => void,
  ): Promise<NativeTexts>;
}

let loaded: Addon | undefined;

/**
 * The engine, loaded on first use.
 * @throws NativeError ENGINE_UNAVAILABLE when it is not built, or does not load on this machine
 */
export function addon(): Addon {
  if (loaded) return loaded;
  const file = join(packageRoot(), 'build/addon/Release/deltascope.node');
  if (!existsSync(file)) {
    throw new NativeError(
      'ENGINE_UNAVAILABLE',
      `the engine is not built (${file} is missing); run ./dev build`,
    );
  }
  // OpenMP's threads would spin while they wait, which starves whatever else runs here; its library reads this once, now.
  process.env['OMP_WAIT_POLICY'] ??= 'passive';
  try {
    const engine = createRequire(import.meta.url)(file) as Addon;
    // process.exit() takes libraries down without asking who is using them: a computation under way would crash.
    process.once('exit', () => engine.stop());
    return (loaded = engine);
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new NativeError(
      'ENGINE_UNAVAILABLE',
      `the engine does not load: ${why}; run ./dev build on this machine`,
      {
        cause: error,
      },
    );
  }
}
