import { addon } from './addon.ts';
import { layerAtDepth } from '../lib/layer-at-depth.ts';
import { compute, type ComputeOptions } from './compute.ts';
import { checkedMode, type Mode } from './mode.ts';
import { handleOf, type Model, type ModelSpec } from './model.ts';
import { otherBaseWarning } from './other-base.ts';
import { flatten, invalid, type Tokens, wholeNumbers } from './tokens.ts';

// As the engine has them.
const mostPositions = 2 ** 20;
const mostBytes = 2 ** 52;
/** Positions that a warning spells out. */
const namedPositions = 20;

export interface DiffOptions<P extends number | readonly number[]> extends ComputeOptions {
  /** Decoder blocks, 0-based. The middle one, trunc(0.5 · (layers − 1)), by default. */
  layers?: readonly number[] | undefined;
  /** How many first positions, or which ones. By default as many as the shortest sequence has. */
  positions?: P | undefined;
  /** Bytes that a measurement may take; texts are cut into waves to keep it. 1 GiB, or what the model needs, by default. */
  memoryBudget?: number | undefined;
  /** 'compat' rounds activations, each difference and the means to bfloat16, as the published implementation's are. */
  mode?: Mode | undefined;
}

/** The sanity checks that a measurement carries. */
export interface Certificate {
  /** Both models read the same checkpoint files: the difference is the adapter alone. */
  sharedWeights: boolean;
  notFinite: {
    /** Activations that were NaN, infinite or beyond ±2^37; their dimensions are NaN in the means. */
    activations: number;
    /** Values that are NaN or infinite among the weights that were read, up to the last measured block. */
    baseWeights: number;
    finetunedWeights: number;
  };
  /** What the adapter changes, and the proof that it is alive; null for a full finetune. */
  adapter: ModelSpec['adapter'];
  vocabularySizes: { base: number; finetuned: number };
  /** Keys of config.json that the engine does not know, and that are not known to change the maths. */
  unknownConfigKeys: { base: string[]; finetuned: string[] };
  /** Waves that the texts were cut into. Results do not depend on it. */
  waves: number;
  device: string;
  /** In words, what a reader of the results should know. */
  warnings: string[];
}

export interface DiffResult<P extends number | readonly number[] = number | readonly number[]> {
  /** As asked, or as chosen by default. */
  layers: number[];
  positions: P;
  mode: Mode;
  dModel: number;
  samples: number;
  /** [layers · positions · dModel], mean of finetuned − base over the samples that reach the position. */
  meanDiff: Float32Array;
  baseMean: Float32Array;
  finetunedMean: Float32Array;
  /** [layers], mean token norm over positions ≥ 5, or over all measured ones when none is reached. */
  baseNorm: Float32Array;
  finetunedNorm: Float32Array;
  /** [layers · positions], sqrt(Σ unbiased variance of the diff / samples); NaN below two samples. */
  standardErrorNorm: Float32Array;
  /** [layers · positions], cosine of the mean diffs of samples with even and odd index; NaN where a half is empty. */
  splitHalfCosine: Float32Array;
  /**
   * [layers · positions] each: mean, deviation and maximum of the norms that the mean diff has when base and finetuned change
   * places at random, sample by sample (`swaps` times, seeded by the samples' indices). Were the models alike, the mean diff would be one of these.
   */
  swapNormMean: Float32Array;
  swapNormDeviation: Float32Array;
  swapNormMax: Float32Array;
  /** 32, or fewer (8 at least) where that many would take more than 256 MiB. */
  swaps: number;
  /** [layers · positions], norm of the difference between the base means of samples with even and odd index: what the texts alone do. */
  baseSplitNorm: Float32Array;
  /** [positions], samples that reach each. */
  counts: number[];
  /** Distinct prefixes among the texts: what was computed, once each. */
  uniquePrefixes: number;
  certificate: Certificate;
}

/**
 * The Activation Difference Lens measurement (arXiv 2510.13900): both models on the same tokens, reduced per layer and
 * position while the layers stream by. Sums are exact: the bits of a result depend on the models, the texts and the build,
 * not on batches, memory budget, threads, or (the split halves apart) the order of the texts.
 * @throws NativeError INVALID_ARGUMENT, PAIR_MISMATCH, OUT_OF_MEMORY, CANCELLED, FILE_UNREADABLE, MODEL_CLOSED
 */
export async function diff<P extends number | readonly number[] = number>(
  base: Model,
  finetuned: Model,
  tokens: Tokens,
  options: DiffOptions<P> = {},
): Promise<DiffResult<P>> {
  const [baseHandle, finetunedHandle] = [handleOf(base, 'base'), handleOf(finetuned, 'finetuned')];
  const { ids, offsets } = flatten(tokens);
  if (tokens.length === 0) throw invalid('there are no tokens to measure on');
  const empty = tokens.findIndex(({ length }) => length === 0);
  if (empty >= 0) throw invalid(`tokens[${empty}] is empty`);

  const layers = options.layers ?? [layerAtDepth(0.5, base.spec.layers)];
  const shortest = tokens.reduce((least, { length }) => Math.min(least, length), Infinity);
  const positions = (options.positions ?? shortest) as P;
  if (
    typeof positions === 'number' &&
    !(Number.isSafeInteger(positions) && positions >= 1 && positions <= mostPositions)
  ) {
    throw invalid(
      `positions is ${positions}; a whole number from 1 to ${mostPositions}, or a list of positions, is expected`,
    );
  }
  const list: readonly number[] =
    typeof positions === 'number' ? Array.from({ length: positions }, (_, p) => p) : positions;
  const { memoryBudget } = options;
  const mode = checkedMode(options.mode);
  if (
    memoryBudget !== undefined &&
    !(Number.isSafeInteger(memoryBudget) && memoryBudget >= 1 && memoryBudget <= mostBytes)
  ) {
    throw invalid(
      `memoryBudget is ${String(memoryBudget)}; a whole number of bytes from 1 to ${mostBytes} is expected`,
    );
  }

  const layerArray = wholeNumbers('layers', layers);
  const positionArray = wholeNumbers('positions', list);
  const {
    counts,
    waves,
    notFinite,
    baseWeightsNotFinite,
    finetunedWeightsNotFinite,
    sharedWeights,
    ...result
  } = await compute(options, (job, progress) =>
    addon().diff(
      baseHandle,
      finetunedHandle,
      ids,
      offsets,
      layerArray,
      positionArray,
      memoryBudget ?? 0, // the engine's own default
      mode === 'compat',
      job,
      progress,
    ),
  );
  const certificate: Certificate = {
    sharedWeights,
    notFinite: {
      activations: notFinite,
      baseWeights: baseWeightsNotFinite,
      finetunedWeights: finetunedWeightsNotFinite,
    },
    adapter: finetuned.spec.adapter,
    vocabularySizes: { base: base.spec.vocabSize, finetuned: finetuned.spec.vocabSize },
    unknownConfigKeys: { base: base.spec.unknownConfigKeys, finetuned: finetuned.spec.unknownConfigKeys },
    waves,
    device: base.spec.device,
    warnings: [],
  };
  const unreached = list.filter((_, p) => counts[p] === 0);
  certificate.warnings = [
    ...unreachedWarning(unreached),
    ...warningsOf(
      certificate,
      base,
      finetuned,
      unreached.length === list.length || // nothing to tell by
        result.meanDiff.some(
          (value, i) => value !== 0 && counts[Math.trunc(i / base.spec.dModel) % list.length] !== 0,
        ),
    ),
  ];
  return {
    layers: [...layers],
    positions,
    mode,
    dModel: base.spec.dModel,
    counts: [...counts],
    certificate,
    ...result,
  };
}

function unreachedWarning(positions: readonly number[]): string[] {
  if (positions.length === 0) return [];
  const more = positions.length > namedPositions ? ` and ${positions.length - namedPositions} more` : '';
  const names = `${positions.slice(0, namedPositions).join(', ')}${more}`;
  return [`no text reaches position ${names}; all that is measured there is NaN`];
}

function warningsOf(
  certificate: Certificate,
  base: Model,
  finetuned: Model,
  /** Whether a mean difference is other than zero where a text reaches; the first one found settles it. */
  differ: boolean,
): string[] {
  const { notFinite, vocabularySizes, unknownConfigKeys } = certificate;
  const warnings: string[] = [];
  const { activations, baseWeights, finetunedWeights } = notFinite;
  if (activations > 0) warnings.push(`${activations} activations were not finite; the means hold NaN there`);
  for (const [which, count] of Object.entries({ base: baseWeights, finetuned: finetunedWeights }))
    if (count > 0) warnings.push(`weights of the ${which} model that are not finite: ${count}`);
  if (!differ) warnings.push('the two models do not differ on these tokens');
  if (base.spec.architecture !== finetuned.spec.architecture) {
    warnings.push(`architectures differ: ${base.spec.architecture} and ${finetuned.spec.architecture}`);
  }
  const otherBase = otherBaseWarning(finetuned);
  if (otherBase !== undefined) warnings.push(otherBase);
  if (vocabularySizes.base !== vocabularySizes.finetuned) {
    warnings.push(`vocabulary sizes differ: ${vocabularySizes.base} and ${vocabularySizes.finetuned}`);
  }
  for (const [which, keys] of Object.entries(unknownConfigKeys)) {
    if (keys.length > 0)
      warnings.push(`config.json of the ${which} model has unknown keys: ${keys.join(', ')}`);
  }
  return warnings;
}
