import { type OrganismRow, readCertificate, type RunRow, type Store } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { certificateSummary } from './certificate-summary.ts';
import { findOrganism } from './find-organism.ts';
import type { TokenRow } from './tokens-table.ts';

export interface ReadingChoice {
  layer?: number | undefined;
  method: string;
  variant: 'DIFF' | 'BASE' | 'FINETUNED';
  sign: 'PROMOTED' | 'SUPPRESSED';
  top: number;
}

/** A run's tokens by layer and position, ready to print. */
export interface Reading extends Omit<ReadingChoice, 'layer' | 'top'> {
  organism: string;
  description: string;
  baseModel: string;
  corpus: string;
  run: string;
  samples: number;
  /** The run's certificate on one line, and its warnings. */
  checked: string;
  warnings: string[];
  layers: { layer: number; positions: TokenRow[] }[];
}

/** @throws CodedError NOT_FOUND naming what there is */
export function readRun(store: Store, name: string, choice: ReadingChoice): Reading {
  const { organism, run } = findRun(store, name);
  const everything = { first: 100_000 };
  const { method, variant, sign, top } = choice;
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
    layers: layers.map((layer) => ({
      layer: layer.layer,
      positions: store.diffVectors.ofLayer.page(layer, {}, everything).rows.map((vector): TokenRow => {
        const [projection] = store.projections.ofDiffVector.page(
          vector,
          { method, variant, sign },
          { first: 1 },
        ).rows;
        if (!projection) {
          const there = store.projections.ofDiffVector.page(vector, {}, everything).rows;
          const names = [...new Set(there.map((row) => row.method))].join(', ');
          throw new CodedError('NOT_FOUND', `run ${run.key} was not read by "${method}", only by ${names}`);
        }
        const norms = {
          DIFF: vector.norm,
          BASE: vector.baseMeanNorm,
          FINETUNED: vector.finetunedMeanNorm,
        };
        return {
          position: vector.position,
          norm: norms[variant],
          tokens: store.tokens.ofProjection.page(projection, {}, { first: top }).rows,
        };
      }),
    })),
  };
}

function findRun(store: Store, name: string): { organism: OrganismRow; run: RunRow } {
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
