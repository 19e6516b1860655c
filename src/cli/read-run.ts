import {
  type DiffVectorRow,
  type Mode,
  type OrganismRow,
  readCertificate,
  type RunLayerRow,
  type RunRow,
  type Store,
} from '../db/index.ts';
import { aboveNoise } from '../lib/above-noise.ts';
import { CodedError } from '../lib/coded-error.ts';
import { chosenReading } from '../runs/chosen-reading.ts';
import { certificateSummary } from '../runs/certificate-summary.ts';
import { findOrganism } from './find-organism.ts';
import type { TokenRow } from './tokens-table.ts';

export interface ReadingChoice {
  layer?: number | undefined;
  method: string;
  variant: 'DIFF' | 'BASE' | 'FINETUNED';
  sign: 'PROMOTED' | 'SUPPRESSED';
  /** Of methods that know scales; the chosen one when absent. */
  scale?: number | undefined;
  /** EXACT where there are both when absent. */
  mode?: Mode | undefined;
  top: number;
}

/** A run's tokens by layer and position, ready to print. */
export interface Reading extends Omit<ReadingChoice, 'layer' | 'scale' | 'mode' | 'top'> {
  organism: string;
  description: string;
  baseModel: string;
  corpus: string;
  run: string;
  samples: number;
  /** The run's certificate on one line, and its warnings. */
  checked: string;
  warnings: string[];
  layers: { layer: number; positions: ReadRow[] }[];
}

interface ReadRow extends TokenRow {
  mode: Mode;
}

/** @throws CodedError NOT_FOUND naming what there is */
export function readRun(store: Store, name: string, choice: ReadingChoice): Reading {
  const { organism, run } = findRun(store, name);
  const { method, variant, sign } = choice;
  const wanted = choice.layer === undefined ? null : [choice.layer];
  const layers = store.layers.ofRun.page(run, { layers: wanted }, everything).rows;
  if (layers.length === 0) {
    const there = store.layers.ofRun.page(run, {}, everything).rows.map(({ layer }) => layer);
    throw new CodedError(
      'NOT_FOUND',
      `run ${run.key} has no layer ${choice.layer}; it has ${there.join(', ')}`,
    );
  }
  const certificate = readCertificate(run.certificate);
  const read = layers.map((layer) => ({
    layer: layer.layer,
    positions: store.diffVectors.ofLayer
      .page(layer, {}, everything)
      .rows.flatMap((vector) => readVector(store, vector, choice)),
  }));
  if (read.every(({ positions }) => positions.length === 0)) throw unread(store, run, layers, choice);
  return {
    organism: organism.name,
    description: organism.description,
    baseModel: store.models.getById(organism.baseModelId).name,
    corpus: store.corpora.getById(run.corpusId).name,
    run: run.key,
    samples: run.samples,
    checked: `${run.computeDtype} products; ${certificateSummary(certificate)}`,
    warnings: certificate.warnings,
    method,
    variant,
    sign,
    layers: read.filter(({ positions }) => positions.length > 0),
  };
}

const everything = { first: 100_000 };

/** The row of one position; none where the method did not read it, or not at this scale. */
function readVector(
  store: Store,
  vector: DiffVectorRow,
  { method, variant, sign, scale, mode, top }: ReadingChoice,
): ReadRow[] {
  const projection = chosenReading(store, vector, { method, variant, sign, scale, mode });
  if (!projection) return [];
  const norms = { DIFF: vector.norm, BASE: vector.baseMeanNorm, FINETUNED: vector.finetunedMeanNorm };
  return [
    {
      position: vector.position,
      norm: norms[variant],
      aboveNoise: aboveNoise(vector),
      scale: projection.scale,
      mode: projection.mode,
      tokens: store.tokens.ofProjection.page(projection, {}, { first: top }).rows,
    },
  ];
}

/** Says what there is instead of a reading that nothing has. */
function unread(
  store: Store,
  run: RunRow,
  layers: readonly RunLayerRow[],
  { method, variant, sign, scale }: ReadingChoice,
): CodedError {
  const vectors = layers.flatMap((layer) => store.diffVectors.ofLayer.page(layer, {}, everything).rows);
  const there = vectors.flatMap((vector) => store.projections.ofDiffVector.page(vector, {}, everything).rows);
  const listed = <T>(values: T[]): string => [...new Set(values)].join(', ');
  const same = there.filter((row) => row.method === method && row.variant === variant && row.sign === sign);
  const scales = same.flatMap((row) => row.scale ?? []).sort((a, b) => a - b);
  if (same.length === 0)
    return new CodedError(
      'NOT_FOUND',
      `run ${run.key} was not read by "${method}", only by ${listed(there.map((row) => row.method))}`,
    );
  return new CodedError(
    'NOT_FOUND',
    scales.length === 0
      ? `"${method}" knows no scales; leave --scale out`
      : `run ${run.key} was not read by "${method}" at ${scale === undefined ? 'a chosen scale' : `scale ${scale}`}; --scale takes ${listed(scales)}`,
  );
}

/** The run of this key, or the latest of the organism of this name. @throws CodedError NOT_FOUND naming what there is */
export function findRun(store: Store, name: string): { organism: OrganismRow; run: RunRow } {
  const byKey = store.runs.findByKey(name);
  if (byKey) return { organism: store.organisms.getById(byKey.organismId), run: byKey };
  const organism = findOrganism(store, name, 'organism and no run');
  const run = store.runs.latestOfOrganism(organism);
  if (!run)
    throw new CodedError(
      'NOT_FOUND',
      `"${name}" has no run yet; measure it with deltascope diff ${name} --corpus <file>`,
    );
  return { organism, run };
}
