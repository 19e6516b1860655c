import { canonicalJson, type JsonObject, type JsonValue } from '../lib/canonical-json.ts';
import { float32Bytes } from '../lib/float32-bytes.ts';
import { sha256 } from '../lib/sha256.ts';
import type { RunCertificate } from './certificate.ts';
import { InvalidRunError } from './errors.ts';
import { methodPattern } from './keys.ts';
import type { ModelRow } from './stores/models.ts';
import type { Mode } from './tables/modes.ts';
import type { ProjectionSign, ProjectionVariant } from './tables/projections.ts';

/** A finished run as the engine hands it over. `spec` is all that decides the result, and whose it is; the run's key is made of it. */
export interface RunRecord {
  spec: Record<string, JsonValue>;
  organismId: number;
  corpusId: number;
  method: string;
  methodVersion: number;
  positions: number;
  samples: number;
  uniquePrefixes: number;
  baseDigest: string;
  finetunedDigest: string;
  corpusDigest: string;
  tokensDigest: string;
  seed: number | null;
  computeDtype: string;
  accumulateDtype: string;
  storeDtype: string;
  engineVersion: string;
  device: string;
  parameters: JsonObject;
  certificate: RunCertificate;
  durationMs: number;
  layers: LayerRecord[];
}

export interface LayerRecord {
  layer: number;
  relativeDepth: number;
  baseNorm: number;
  finetunedNorm: number;
  vectors: VectorRecord[];
}

export interface VectorRecord {
  position: number;
  samples: number;
  standardErrorNorm: number;
  splitHalfCosine: number;
  /** Of the norm of the mean diff when base and finetuned are swapped at random, text by text. */
  swapNormMean?: number | undefined;
  swapNormDeviation?: number | undefined;
  swapNormMax?: number | undefined;
  /** Norm of the difference between the base's means over two halves of the texts. */
  baseSplitNorm?: number | undefined;
  diff: Float32Array;
  baseMean: Float32Array;
  finetunedMean: Float32Array;
  projections: ProjectionRecord[];
}

export interface ProjectionRecord {
  method: string;
  methodVersion: number;
  variant: ProjectionVariant;
  sign: ProjectionSign;
  /** What the vector was multiplied by; absent or null where the method knows no scales. */
  scale?: number | null | undefined;
  /** Whether a choice without a language model took this scale; absent: true where there is no scale. */
  chosen?: boolean | undefined;
  /** What that choice gave this scale, the highest is best; absent or null where it did not look. */
  score?: number | null | undefined;
  /** Absent: EXACT. */
  mode?: Mode | undefined;
  parameters: JsonObject;
  tokens: { tokenId: number; text: string | null; probability: number }[];
}

/** What the unique constraints of the store cannot see. @throws InvalidRunError with both values. */
export function checkRunRecord(record: RunRecord, model: ModelRow): void {
  if (record.layers.length === 0)
    throw new InvalidRunError('a run needs at least one layer, this one has none');
  for (const { layer, vectors } of record.layers) {
    if (!Number.isInteger(layer) || layer < 0 || layer >= model.layers) {
      throw new InvalidRunError(
        `layer ${layer} is outside 0..${model.layers - 1}, the layers of "${model.name}"`,
      );
    }
    for (const vector of vectors) {
      const place = `layer ${layer}, position ${vector.position}`;
      if (!Number.isInteger(vector.position) || vector.position < 0 || vector.position >= record.positions) {
        throw new InvalidRunError(
          `${place}: position is outside 0..${record.positions - 1}, the run's positions`,
        );
      }
      for (const name of ['diff', 'baseMean', 'finetunedMean'] as const) {
        if (vector[name].length !== model.dModel) {
          throw new InvalidRunError(
            `${place}: ${name} has ${vector[name].length} numbers, d_model of "${model.name}" is ${model.dModel}`,
          );
        }
      }
      for (const { method, scale = null } of vector.projections) {
        if (!methodPattern.test(method)) {
          throw new InvalidRunError(`${place}: method "${method}" is not of the form words-with-dashes`);
        }
        if (scale !== null && !(Number.isFinite(scale) && scale > 0)) {
          throw new InvalidRunError(
            `${place}: ${method} at scale ${scale}; a finite number above 0 is expected`,
          );
        }
      }
    }
  }
}

/**
 * SHA-256 of the run's canonical manifest: everything recorded, vectors by their own digests. Left out is what may differ
 * between two equal measurements (device, duration, time) and what is only local (row ids, the organism's name in `spec`, whose
 * other members are fields of their own), so two stores can compare.
 */
export function runDigest(record: RunRecord): string {
  const local = { spec: null, organismId: null, corpusId: null, device: null, durationMs: null };
  const manifest = {
    ...record,
    ...local,
    layers: record.layers.map(({ vectors, ...layer }) => ({
      ...layer,
      vectors: vectors.map(({ diff, baseMean, finetunedMean, ...vector }) => ({
        ...vector,
        diff: sha256(float32Bytes(diff)),
        baseMean: sha256(float32Bytes(baseMean)),
        finetunedMean: sha256(float32Bytes(finetunedMean)),
      })),
    })),
  };
  // What is not finite becomes null here as it does in the tables.
  return sha256(canonicalJson(manifest as unknown as JsonValue, { notFinite: null }));
}
