import { basename, resolve } from 'node:path';
import type { NewSimilarity, RunRow, SimilarityRow, SteeringExperimentRow, Store } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { canonicalJson, type JsonObject } from '../lib/canonical-json.ts';
import { meanCosine, meanCosineWithin } from '../lib/mean-cosine.ts';
import { packageVersion } from '../lib/package-root.ts';
import { Model } from '../native/index.ts';
import { corpusDigestOf, CorpusError, selectTexts } from './corpus.ts';
import { folderDigest } from './digest.ts';
import type { WorkOptions } from './stored-run.ts';
import { unchangedDigest } from './unchanged-digest.ts';

export interface TextSimilarityOptions extends WorkOptions {
  /** Folder of any checkpoint that can be opened; the base of the experiment when left out. */
  encoder?: string | undefined;
  maxTexts?: number | undefined;
  /** Tokens that are read of a text. */
  maxTokens?: number | undefined;
}

export interface TextSimilarity {
  /**
   * Steered and unsteered texts with the training corpus, and the training corpus with itself, the most that can be expected; all
   * three with the run's probe corpus, what texts of no kin come to, as long as its file is what it was.
   */
  similarities: SimilarityRow[];
  reused: boolean;
}

const everything = { first: 100_000 };
const pooling = 'mean';

/**
 * How alike an experiment's texts are to what the organism was trained on: the mean cosine over all pairs of their embeddings,
 * mean(Â) · mean(B̂) of embeddings of length 1 (method.md §7). Embeddings are the mean of the encoder's final activations: its last token,
 * the alternative, says how a text goes on, and these texts are cut anywhere.
 * Asked again, the stored ones are returned, without opening the encoder.
 * @throws CodedError NOT_FOUND without a training corpus, CORPUS_UNUSABLE when there is nothing to compare, MODEL_CHANGED; NativeError,
 *   CorpusError
 */
export async function compareTexts(
  store: Store,
  experiment: SteeringExperimentRow,
  options: TextSimilarityOptions = {},
): Promise<TextSimilarity> {
  const { run } = experiment.diffVector.layer;
  const organism = store.organisms.getById(run.organismId);
  const { signal, threads, onPhase, maxTexts = 500, maxTokens = 256 } = options;
  const { trainingCorpus } = organism;
  if (trainingCorpus === null) {
    throw new CodedError(
      'NOT_FOUND',
      `organism "${organism.name}" was registered without a training corpus; register it again with --training-corpus`,
    );
  }
  const base = store.models.getById(run.baseModelId);
  const folder = resolve(options.encoder ?? base.path);
  onPhase?.('digest');
  const encoderDigest = options.encoder === undefined ? base.digest : await folderDigest(folder, signal);
  const parametersOf = (corpusDigest: string, probeDigest: string | null): JsonObject => ({
    pooling,
    maxTexts,
    maxTokens,
    corpusDigest,
    probeDigest,
  });
  const known = (parameters: JsonObject): SimilarityRow[] =>
    store.similarities.ofExperiment
      .page(experiment, {}, everything)
      .rows.filter(
        (row) =>
          row.encoderDigest === encoderDigest &&
          row.engineVersion === packageVersion() &&
          canonicalJson(row.parameters) === canonicalJson(parameters),
      );
  const trainingDigest = await corpusDigestOf(trainingCorpus, signal);
  for (const probeDigest of (await hasProbe(store, run, signal))
    ? [run.corpusDigest]
    : [run.corpusDigest, null]) {
    const similarities = known(parametersOf(trainingDigest, probeDigest));
    if (similarities.length > 0) return { similarities, reused: true };
  }
  if (options.encoder === undefined) await unchangedDigest(base, 'base model', signal);
  const model = await Model.open(folder, { threads, signal });
  try {
    onPhase?.('tokens');
    const training = await selectTexts({
      file: trainingCorpus,
      textColumn: 'text',
      tokenizer: model.tokenizer,
      positions: maxTokens,
      leastTokens: 1,
      maxSamples: maxTexts,
      signal,
    });
    const probe = await probeTexts(store, run, model, { maxTexts, maxTokens, signal });
    const parameters = parametersOf(training.corpusDigest, probe && run.corpusDigest);

    onPhase?.('embed');
    const embed = (tokens: readonly number[][]) => model.embed(tokens, { pooling, signal });
    const ofTraining = await embed(training.tokens);
    const ofProbe = probe && (await embed(probe));
    const groups = [];
    for (const group of ['STEERED', 'UNSTEERED'] as const) {
      const tokens = store.samples.ofExperiment
        .page(experiment, { steered: group === 'STEERED' }, everything)
        .rows.map((sample) => store.samples.read(sample).text)
        .filter((text) => text.trim() !== '')
        .map((text) => model.tokenizer.encode(text).slice(0, maxTokens))
        .filter(({ length }) => length > 0);
      if (tokens.length > 0) groups.push({ group, embeddings: await embed(tokens) });
    }
    const record = (
      group: NewSimilarity['group'],
      other: NewSimilarity['other'],
      cosine: number,
      texts: number,
    ): NewSimilarity[] =>
      Number.isFinite(cosine)
        ? [
            {
              experiment,
              encoderDigest,
              encoderName: options.encoder === undefined ? base.name : basename(folder),
              group,
              other,
              cosine: Math.max(-1, Math.min(1, cosine)),
              texts,
              otherTexts: (other === 'PROBE' ? ofProbe : ofTraining)?.length ?? 0,
              parameters,
            },
          ]
        : [];
    const records = [...groups, { group: 'TRAINING' as const, embeddings: ofTraining }].flatMap(
      ({ group, embeddings }) => [
        ...record(
          group,
          'TRAINING',
          group === 'TRAINING' ? meanCosineWithin(embeddings) : meanCosine(embeddings, ofTraining),
          embeddings.length,
        ),
        ...(ofProbe ? record(group, 'PROBE', meanCosine(embeddings, ofProbe), embeddings.length) : []),
      ],
    );
    if (records.length === 0) {
      throw new CodedError(
        'CORPUS_UNUSABLE',
        `experiment ${experiment.key} has no text that is not blank, and ${trainingCorpus} has fewer than two`,
      );
    }
    onPhase?.('save');
    return { similarities: store.similarities.save(records), reused: false };
  } finally {
    model.close();
  }
}

/** Whether the corpus that the run measured on is still where it was, as it was. */
async function hasProbe(store: Store, run: RunRow, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    return (await corpusDigestOf(store.corpora.getById(run.corpusId).path, signal)) === run.corpusDigest;
  } catch (error) {
    if (error instanceof CorpusError) return false;
    throw error;
  }
}

/** Texts of the corpus that the run measured on; null when its file is gone or another now. */
async function probeTexts(
  store: Store,
  run: RunRow,
  model: Model,
  { maxTexts, maxTokens, signal }: { maxTexts: number; maxTokens: number; signal: AbortSignal | undefined },
): Promise<number[][] | null> {
  const { path, textColumn } = store.corpora.getById(run.corpusId);
  try {
    const selection = await selectTexts({
      file: path,
      textColumn,
      tokenizer: model.tokenizer,
      positions: maxTokens,
      leastTokens: 1,
      maxSamples: maxTexts,
      signal,
    });
    return selection.corpusDigest === run.corpusDigest ? selection.tokens : null;
  } catch (error) {
    if (error instanceof CorpusError) return null;
    throw error;
  }
}
