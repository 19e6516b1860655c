import type {
  DiffVectorRow,
  OrganismRow,
  RunLayerRow,
  RunRow,
  Store,
  Stores,
  VectorKind,
} from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { float32Values } from '../lib/float32-bytes.ts';
import { layerAtDepth } from '../lib/layer-at-depth.ts';
import type { Progress } from '../native/index.ts';
import { type Selection, selectTexts } from './corpus.ts';
import { type Pair, withPair } from './organism.ts';
import type { Phase } from './phase.ts';
import { unchangedDigest } from './unchanged-digest.ts';

/** What every reading of a measured run takes. */
export interface WorkOptions {
  threads?: number | undefined;
  signal?: AbortSignal | undefined;
  onPhase?: ((phase: Phase) => void) | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface StoredPair extends Pair {
  organism: OrganismRow;
}

const everything = { first: 100_000 };

/**
 * Opens the two models that a run was measured on, in its dtype, for some work.
 * @throws CodedError MODEL_CHANGED when their files are not the measured ones any more
 */
export async function withModelsOf<T>(
  store: Store,
  run: RunRow,
  { threads, signal, onPhase }: WorkOptions,
  work: (pair: StoredPair) => Promise<T>,
): Promise<T> {
  const organism = store.organisms.getById(run.organismId);
  const model = store.models.getById(run.baseModelId);
  onPhase?.('digest');
  const digests = {
    baseDigest: await unchangedDigest(model, 'base model', signal),
    finetunedDigest: await unchangedDigest(organism, 'organism', signal),
  };
  if (digests.baseDigest !== run.baseDigest || digests.finetunedDigest !== run.finetunedDigest) {
    throw new CodedError(
      'MODEL_CHANGED',
      `run ${run.key} was measured on other files than "${organism.name}" has now; measure it again`,
    );
  }
  const dtype = run.computeDtype === 'bfloat16' ? 'bfloat16' : 'float32';
  return withPair({ ...organism, base: model.path }, { threads, dtype, signal }, (pair) =>
    work({ ...pair, organism }),
  );
}

/**
 * A layer of a run; the one nearest above the middle when none is named: trunc(0.5 · (layers − 1)), if it was measured, else the
 * first that was.
 * @throws CodedError NOT_FOUND naming what there is
 */
export function layerOf(store: Store, run: RunRow, wanted: number | undefined): RunLayerRow {
  const there = store.layers.ofRun.page(run, {}, everything).rows;
  const middle = layerAtDepth(0.5, store.models.getById(run.baseModelId).layers);
  const found =
    wanted === undefined
      ? (there.find(({ layer }) => layer >= middle) ?? there[0])
      : there.find(({ layer }) => layer === wanted);
  if (found) return found;
  const list = there.map(({ layer }) => layer).join(', ');
  throw new CodedError('NOT_FOUND', `run ${run.key} has no layer ${wanted}; it has ${list}`);
}

/** @throws CodedError NOT_FOUND naming what there is */
export function vectorsOf(
  store: Store,
  layer: RunLayerRow,
  positions: readonly number[] | undefined,
): DiffVectorRow[] {
  const there = store.diffVectors.ofLayer.page(layer, {}, everything).rows;
  if (positions === undefined) return there;
  return positions.map((wanted) => {
    const found = there.find(({ position }) => position === wanted);
    if (found) return found;
    throw new CodedError(
      'NOT_FOUND',
      `layer ${layer.layer} of run ${layer.run.key} has no position ${wanted}; it has 0 to ${layer.run.positions - 1}`,
    );
  });
}

/** The numbers of a stored vector, [d_model]. */
export const numbersOf = (store: Stores, vector: DiffVectorRow, kind: VectorKind = 'DIFF'): Float32Array =>
  float32Values(store.vectors.read(store.vectors.get(vector, kind)));

/** A vector's direction, [d_model] of length 1. @throws CodedError ZERO_VECTOR */
export function unitOf(store: Store, vector: DiffVectorRow, kind: VectorKind = 'DIFF'): Float32Array {
  const numbers = numbersOf(store, vector, kind);
  const length = Math.hypot(...numbers);
  if (!(length > 0 && Number.isFinite(length))) {
    throw new CodedError(
      'ZERO_VECTOR',
      `${vector.key} has the norm ${length}; only a vector of a finite norm above 0 has a direction`,
    );
  }
  return numbers.map((value) => value / length);
}

/** The layer's mean token norm of the finetuned model. @throws CodedError NOT_FINITE where it was not finite */
export function finetunedNormOf({ finetunedNorm, key }: RunLayerRow): number {
  if (finetunedNorm !== null && finetunedNorm > 0) return finetunedNorm;
  throw new CodedError(
    'NOT_FINITE',
    `the finetuned token norm of ${key} is ${finetunedNorm}; a number above 0 is needed`,
  );
}

/** The column that a run's texts are in. */
export function textColumnOf(store: Store, { corpusId, parameters }: RunRow): string {
  const { textColumn } = parameters;
  return typeof textColumn === 'string' ? textColumn : store.corpora.getById(corpusId).textColumn;
}

/**
 * The texts that a run was measured on, read again.
 * @throws CodedError CORPUS_CHANGED when the file gives others now; CorpusError
 */
export async function textsOf(
  store: Store,
  run: RunRow,
  pair: Pair,
  signal: AbortSignal | undefined,
): Promise<Selection> {
  const { path } = store.corpora.getById(run.corpusId);
  const { maxSamples } = run.parameters;
  const selection = await selectTexts({
    file: path,
    textColumn: textColumnOf(store, run),
    tokenizer: pair.base.tokenizer,
    positions: run.positions,
    maxSamples: typeof maxSamples === 'number' ? maxSamples : run.samples,
    signal,
  });
  if (selection.tokensDigest !== run.tokensDigest) {
    throw new CodedError(
      'CORPUS_CHANGED',
      `${path} gives other texts now than run ${run.key} was measured on; measure it again`,
    );
  }
  return selection;
}
