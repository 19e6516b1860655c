import { resolve } from 'node:path';
import {
  type LayerRecord,
  type OrganismRow,
  readCertificate,
  type RunCertificate,
  runKey,
  type RunRow,
  type Store,
} from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import type { JsonObject } from '../lib/canonical-json.ts';
import { packageVersion } from '../lib/package-root.ts';
import {
  engineMode,
  type Method,
  methods,
  type Projection,
  type ReadingMode,
  type VectorSet,
} from '../methods/index.ts';
import { type Certificate, diff, type DiffResult, type Progress } from '../native/index.ts';
import { compareTokenizers, type TokenizerComparison } from '../tokenizer/index.ts';
import { selectTexts, type Selection } from './corpus.ts';
import { type Pair, withPair } from './organism.ts';
import type { Phase } from './phase.ts';
import { unchangedDigest } from './unchanged-digest.ts';

/** The measurement's name and version: raised whenever the same input would give another result. */
const method = { method: 'activation-difference', methodVersion: 1 };

export interface MeasureOptions {
  corpus: { name: string; file: string; textColumn: string };
  /** Decoder blocks, given how many the base has. */
  layers: (count: number) => number[];
  /** How many first tokens of each text. */
  positions: number;
  /** At most this many texts. */
  maxSamples: number;
  /** Tokens kept of each reading and end. */
  top: number;
  threads?: number | undefined;
  /** Of the matrix products; float32 by default. */
  dtype?: 'float32' | 'bfloat16' | undefined;
  memoryBudget?: number | undefined;
  /** COMPAT follows the published implementation's rounding points (docs/decisions/008); EXACT by default. */
  mode?: ReadingMode | undefined;
  signal?: AbortSignal | undefined;
  onPhase?: ((phase: Phase) => void) | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Measured {
  run: RunRow;
  /** The store had it already. */
  reused: boolean;
  /** In words, what a reader of the results should know. */
  warnings: string[];
}

/**
 * Measures an organism on a corpus and stores the finished run, whole or not at all. The same question asked again is answered from
 * the store (`reused`), without running a model.
 */
export async function measure(
  store: Store,
  organism: OrganismRow,
  options: MeasureOptions,
): Promise<Measured> {
  const { path: base } = store.models.getById(organism.baseModelId);
  const { path, form } = organism;
  const { threads, dtype, signal } = options;
  return withPair({ base, path, form }, { threads, dtype, signal }, (pair) =>
    measurePair(store, organism, pair, options),
  );
}

async function measurePair(
  store: Store,
  organism: OrganismRow,
  pair: Pair,
  options: MeasureOptions,
): Promise<Measured> {
  const started = performance.now();
  const { corpus, positions, maxSamples, top, memoryBudget, signal, onPhase, onProgress } = options;
  const { mode = 'EXACT' } = options;
  const layers = checkedLayers(options.layers, pair.base.spec.layers);

  onPhase?.('digest');
  const digests = {
    baseDigest: await unchangedDigest(store.models.getById(organism.baseModelId), 'base model', signal),
    finetunedDigest: await unchangedDigest(organism, 'organism', signal),
  };

  onPhase?.('tokens');
  const { tokenizer } = pair.base;
  const selection = await selectTexts({
    file: corpus.file,
    textColumn: corpus.textColumn,
    tokenizer,
    positions,
    maxSamples,
    signal,
  });
  const readers = Object.values(methods).map((way): Reader => {
    return { method: way, parameters: way.parameters.parse({ top, mode }) };
  });
  const parameters: JsonObject = {
    layers,
    positions,
    mode,
    maxSamples,
    textColumn: corpus.textColumn,
    tokenizerDigest: tokenizer.digest,
    projections: readers.map(({ method: { name, version }, parameters }) => ({
      method: name,
      version,
      parameters,
    })),
  };
  const spec: JsonObject = {
    ...method,
    organism: organism.name, // two organisms of the same files have a run each
    ...digests,
    parameters,
    tokensDigest: selection.tokensDigest,
    engineVersion: packageVersion(),
    device: pair.base.spec.device,
    computeDtype: pair.base.spec.computeDtype,
  };
  const known = store.runs.findByKey(runKey(spec));
  if (known) return { run: known, reused: true, warnings: readCertificate(known.certificate).warnings };
  // An adapter may bring one, too; ids and texts are the base's all the same.
  const comparison = compareTokenizers(pair.base.folder, pair.finetuned.adapter ?? pair.finetuned.folder);

  onPhase?.('forward');
  const result = await diff(pair.base, pair.finetuned, selection.tokens, {
    layers,
    positions,
    memoryBudget,
    mode: engineMode(mode),
    signal,
    onProgress,
  });

  const { activations, baseWeights, finetunedWeights } = result.certificate.notFinite;
  if (activations > 0) {
    throw new CodedError(
      'NOT_FINITE',
      `${activations} activations of "${organism.name}" or its base are not finite (weights that are not: ${baseWeights} of the base, ${finetunedWeights} of the finetune): a checkpoint is damaged, or its values are beyond float32; nothing can be read out of them`,
    );
  }

  onPhase?.('lens');
  const layerRecords = await readLayers(result, pair, readers, signal);

  onPhase?.('save');
  const certificate = certificateOf(result.certificate, selection, tokenizer.digest, comparison);
  const run = store.transaction(() => {
    if (store.organisms.getById(organism.id).digest !== digests.finetunedDigest) {
      throw new CodedError(
        'MODEL_CHANGED',
        `organism "${organism.name}" was registered with other files while it was measured; measure it again`,
      );
    }
    const corpusRow = store.corpora.add(
      {
        name: corpus.name,
        path: resolve(corpus.file),
        textColumn: corpus.textColumn,
        digest: selection.corpusDigest,
        rows: selection.rowsInFile,
      },
      // A corpus file may grow or change: its row follows, runs keep the digest of what they read.
      { update: true },
    );
    return store.runs.save({
      ...method,
      ...digests,
      spec,
      organismId: organism.id,
      corpusId: corpusRow.id,
      positions,
      samples: result.samples,
      uniquePrefixes: result.uniquePrefixes,
      corpusDigest: selection.corpusDigest,
      tokensDigest: selection.tokensDigest,
      seed: null,
      computeDtype: pair.base.spec.computeDtype,
      accumulateDtype: 'int128',
      storeDtype: 'float32',
      engineVersion: packageVersion(),
      device: pair.base.spec.device,
      parameters,
      certificate,
      durationMs: performance.now() - started,
      layers: layerRecords,
    });
  });
  return { run, reused: false, warnings: certificate.warnings };
}

/** What the engine would refuse too, but only after everything has been read. */
function checkedLayers(choose: MeasureOptions['layers'], count: number): number[] {
  const layers = choose(count);
  const wrong = layers.find((layer) => layer >= count);
  if (wrong === undefined) return layers;
  throw new CodedError(
    'INVALID_ARGUMENT',
    `layer ${wrong} is not there; the model has layers 0 to ${count - 1}`,
  );
}

/** A way to read vectors, and how it is asked to. */
interface Reader {
  method: Method;
  parameters: JsonObject;
}

/** Rows for the store: every vector with its statistics and its readings. */
async function readLayers(
  result: DiffResult<number>,
  pair: Pair,
  readers: readonly Reader[],
  signal: AbortSignal | undefined,
): Promise<LayerRecord[]> {
  const { layers, positions, dModel } = result;
  const at = (l: number, p: number) => l * positions + p;
  const sets: VectorSet[] = layers.flatMap((layer, l) =>
    Array.from({ length: positions }, (_, p) => {
      const [from, to] = [at(l, p) * dModel, (at(l, p) + 1) * dModel];
      return {
        layer,
        finetunedNorm: required(result.finetunedNorm[l]),
        DIFF: result.meanDiff.subarray(from, to),
        BASE: result.baseMean.subarray(from, to),
        FINETUNED: result.finetunedMean.subarray(from, to),
      };
    }),
  );
  const readings: { reader: Reader; projections: Projection[][] }[] = [];
  for (const reader of readers) {
    const { method, parameters } = reader;
    readings.push({ reader, projections: await method.project(sets, { ...pair, signal }, parameters) });
  }
  return layers.map((layer, l) => ({
    layer,
    relativeDepth: pair.base.spec.layers === 1 ? 0 : layer / (pair.base.spec.layers - 1),
    baseNorm: required(result.baseNorm[l]),
    finetunedNorm: required(result.finetunedNorm[l]),
    vectors: Array.from({ length: positions }, (_, p) => {
      const { DIFF, BASE, FINETUNED } = required(sets[at(l, p)]);
      return {
        position: p,
        samples: required(result.counts[p]),
        standardErrorNorm: required(result.standardErrorNorm[at(l, p)]),
        splitHalfCosine: required(result.splitHalfCosine[at(l, p)]),
        swapNormMean: required(result.swapNormMean[at(l, p)]),
        swapNormDeviation: required(result.swapNormDeviation[at(l, p)]),
        swapNormMax: required(result.swapNormMax[at(l, p)]),
        baseSplitNorm: required(result.baseSplitNorm[at(l, p)]),
        diff: DIFF,
        baseMean: BASE,
        finetunedMean: FINETUNED,
        projections: readings.flatMap(({ reader: { method, parameters }, projections }) =>
          required(projections[at(l, p)]).map((projection) => ({
            ...projection,
            method: method.name,
            methodVersion: method.version,
            parameters,
          })),
        ),
      };
    }),
  }));
}

/** What the store keeps of the certificate: nothing that differs between two equal measurements. */
function certificateOf(
  { sharedWeights, adapter, vocabularySizes, notFinite, unknownConfigKeys, warnings }: Certificate,
  { rowsRead, skippedEmpty, skippedShort }: Selection,
  digest: string,
  { finetunedDigest, equal, vocabularyEqual, differences }: TokenizerComparison,
): RunCertificate {
  const another =
    differences.length === 0
      ? []
      : [
          `the finetuned model has another tokenizer (${differences.join('; ')}); the base model’s is used for both`,
        ];
  return {
    sharedWeights,
    adapter: adapter && { ...adapter, kind: 'LORA', baseName: adapter.baseName || null },
    vocabularySizes,
    tokenizer: { digest, finetunedDigest, equal, vocabularyEqual },
    notFinite,
    selection: { rowsRead, skippedEmpty, skippedShort },
    unknownConfigKeys,
    warnings: [...warnings, ...another],
  };
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the engine returned too few values');
  return value;
}
