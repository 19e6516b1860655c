import type { RunRow, Store } from '../../src/db/index.ts';
import { candidatesOf } from '../../src/graders/relevance/candidates.ts';
import { countTokens } from '../../src/graders/relevance/frequent-tokens.ts';
import { relevanceMetrics } from '../../src/graders/relevance/metrics.ts';
import { offlineRelevance, type OfflineRelevance } from '../../src/graders/relevance/offline-relevance.ts';
import { measure } from '../../src/runs/measure.ts';
import { addOrganism } from '../../src/runs/organism.ts';
import { readByPatchscope } from '../../src/runs/patchscope.ts';
import { openTokenizer, type Tokenizer } from '../../src/tokenizer/index.ts';
import { everyday } from './command.ts';
import { bundled } from './models.ts';
import { type BundledOrganism, textsOf } from './organisms.ts';

const tokenizers = new Map<string, Tokenizer>();
const counts = new Map<string, Promise<Map<number, number>>>();

export function tokenizerOf(base: string): Tokenizer {
  const tokenizer = tokenizers.get(base) ?? openTokenizer(bundled(base));
  tokenizers.set(base, tokenizer);
  return tokenizer;
}

function countsOf(base: string, corpus: string): Promise<Map<number, number>> {
  const key = `${base} ${corpus}`;
  const counting = counts.get(key) ?? countTokens(textsOf(corpus), tokenizerOf(base));
  counts.set(key, counting);
  return counting;
}

/** The offline judge of a bundled organism. */
export async function judgeOf({ base, trainingCorpus }: BundledOrganism): Promise<OfflineRelevance> {
  const training = await countsOf(base, trainingCorpus);
  const probe = await countsOf(base, 'corpora/everyday.jsonl');
  return offlineRelevance({ training, probe }, tokenizerOf(base));
}

/** A run on 100 everyday texts: residual streams after `layers`, ten positions. */
export async function measured(store: Store, organism: BundledOrganism, layers: number[]): Promise<RunRow> {
  const { name, base, form, kind, description } = organism;
  const row = await addOrganism(store, {
    ...{ name, form, kind, description },
    base: bundled(base),
    baseName: base,
    path: bundled(name),
  });
  const { run } = await measure(store, row, {
    corpus: { name: 'everyday', file: everyday, textColumn: 'text' },
    layers: () => layers,
    positions: 10,
    maxSamples: 100,
    top: 20,
  });
  return run;
}

type ByVariant = Record<'DIFF' | 'BASE' | 'FINETUNED', number[]>;

/** Share of the twenty strongest tokens that are relevant, at positions 0 to 4, by Patchscope at the scale it chose. */
export async function relevanceOf(
  store: Store,
  run: RunRow,
  layer: number,
  judge: OfflineRelevance,
): Promise<ByVariant> {
  const shares: ByVariant = { DIFF: [], BASE: [], FINETUNED: [] };
  const { readings } = await readByPatchscope(store, run, { layer, positions: [0, 1, 2, 3, 4] });
  for (const { projections } of readings)
    for (const row of projections.filter(({ chosen, sign }) => chosen && sign === 'PROMOTED')) {
      const candidates = candidatesOf(store.tokens.ofProjection.page(row, {}, { first: 20 }).rows);
      const labels = candidates.map(({ text }) => judge.label(text));
      shares[row.variant].push(relevanceMetrics(candidates, labels, []).percentage);
    }
  return shares;
}
