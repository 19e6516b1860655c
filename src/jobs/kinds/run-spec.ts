import { z } from 'zod';
import { distinctAscending } from '../../lib/distinct-ascending.ts';
import type { CorpusRow, RunRow, Stores } from '../../db/index.ts';
import type { RegisteredRoots } from '../../runs/roots.ts';
import { JobInputError, type Prepared } from './define-kind.ts';

export const runKeySpec = z.string().regex(/^[0-9a-f]{20}$/, 'a run’s key has 20 hex digits');
export const layerSpec = z.number().int().min(0).max(100_000).optional();
/** Positions in any order, repeated or not, are the same spec: ascending, each once. */
export const positionsSpec = z
  .array(z.number().int().min(0).max(65_535))
  .min(1)
  .max(1000)
  .transform(distinctAscending);
export const modeSpec = z.enum(['EXACT', 'COMPAT']).default('EXACT');
export const seedSpec = z
  .number()
  .int()
  .min(0)
  .max(2 ** 31)
  .default(0);

/** @throws JobInputError */
export function runOf(store: Stores, key: string): RunRow {
  const run = store.runs.findByKey(key);
  if (!run) throw new JobInputError('NOT_FOUND', ['run'], `There is no run ${key} here.`);
  return run;
}

/** @throws JobInputError */
export function corpusOf(store: Stores, name: string): CorpusRow {
  const corpus = store.corpora.find(name);
  if (!corpus) throw new JobInputError('NOT_FOUND', ['corpus'], `There is no corpus "${name}" here.`);
  return corpus;
}

/** Where the texts of a registered corpus are, looked at once more before they are read. */
export function corpusFile(store: Stores, roots: RegisteredRoots, name: string) {
  const { path, textColumn } = store.corpora.get(name);
  roots.demandUnmoved(path);
  return { name, file: path, textColumn };
}

/** A reading of a run is whose the run is; its key stands for the files it was measured on. */
export const preparedOfRun = (store: Stores, spec: { run: string }): Prepared => ({
  organismId: runOf(store, spec.run).organismId,
  decisive: {},
});

/** The first positions of a run, those that are read when none are named. */
export const firstPositions = ({ positions }: RunRow): number[] =>
  Array.from({ length: Math.min(5, positions) }, (_, position) => position);
