import type { NewSimilarity, RunRow, SimilarityRow, SteeringExperimentRow, Store } from '../db/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import { canonicalJson, type JsonObject } from '../lib/canonical-json.ts';
import { meanCosine, meanCosineWithin } from '../lib/mean-cosine.ts';
import { packageVersion } from '../lib/package-root.ts';
import { corpusDigestOf, CorpusError } from './corpus.ts';
import { checkpointEncoder } from './encoders/checkpoint.ts';
import type { OpenEncoder, TextEncoder } from './encoders/encoder.ts';
import type { WorkOptions } from './stored-run.ts';

export interface TextSimilarityOptions extends WorkOptions {
  /** An encoder, or the folder of any checkpoint that can be opened; the base of the experiment when left out. */
  encoder?: TextEncoder | string | undefined;
  maxTexts?: number | undefined;
  /** Tokens that a checkpoint reads of a text. */
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
/**
 * How alike an experiment's texts are to what the organism was trained on: the mean cosine over all pairs of their embeddings,
 * mean(Â) · mean(B̂) of embeddings of length 1 (method.md §7).
 * Asked again, the stored ones are returned, without opening the encoder.
 * @throws CodedError NOT_FOUND without a training corpus, CORPUS_UNUSABLE when there is nothing to compare; CorpusError; what the encoder
 *   throws
 */
export async function compareTexts(
  store: Store,
  experiment: SteeringExperimentRow,
  options: TextSimilarityOptions = {},
): Promise<TextSimilarity> {
  const { run } = experiment.diffVector.layer;
  const organism = store.organisms.getById(run.organismId);
  const { signal, threads, onPhase, maxTexts = 500, maxTokens } = options;
  const { trainingCorpus } = organism;
  if (trainingCorpus === null) {
    throw new CodedError(
      'NOT_FOUND',
      `organism "${organism.name}" was registered without a training corpus; register it again with --training-corpus`,
    );
  }
  onPhase?.('digest');
  const { encoder: given = store.models.getById(run.baseModelId) } = options;
  const encoder =
    typeof given === 'object' && 'open' in given
      ? given
      : await checkpointEncoder(given, { threads, signal, maxTokens });
  const encoderDigest = encoder.digest;
  const parametersOf = (corpusDigest: string, probeDigest: string | null): JsonObject => ({
    ...encoder.parameters,
    maxTexts,
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
  const probed = await hasProbe(store, run, signal);
  for (const probeDigest of probed ? [run.corpusDigest] : [run.corpusDigest, null]) {
    const similarities = known(parametersOf(trainingDigest, probeDigest));
    if (similarities.length > 0) return { similarities, reused: true };
  }
  const open = await encoder.open(signal);
  try {
    onPhase?.('tokens');
    const training = await open.ofCorpus({ file: trainingCorpus, textColumn: 'text' }, maxTexts, onPhase);
    const { vectors: ofTraining } = training;
    const ofProbe = probed ? await probeTexts(store, run, open, maxTexts) : null;
    const parameters = parametersOf(training.corpusDigest, ofProbe && run.corpusDigest);

    onPhase?.('embed');
    const groups = [];
    for (const group of ['STEERED', 'UNSTEERED'] as const) {
      const texts = store.samples.ofExperiment
        .page(experiment, { steered: group === 'STEERED' }, everything)
        .rows.map((sample) => store.samples.read(sample).text)
        .filter((text) => text.trim() !== '');
      const vectors = await open.ofTexts(texts);
      if (vectors.length > 0) groups.push({ group, vectors });
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
              encoderName: encoder.name,
              group,
              other,
              cosine: Math.max(-1, Math.min(1, cosine)),
              texts,
              otherTexts: (other === 'PROBE' ? ofProbe : ofTraining)?.length ?? 0,
              parameters,
            },
          ]
        : [];
    const records = [...groups, { group: 'TRAINING' as const, vectors: ofTraining }].flatMap(
      ({ group, vectors }) => [
        ...record(
          group,
          'TRAINING',
          group === 'TRAINING' ? meanCosineWithin(vectors) : meanCosine(vectors, ofTraining),
          vectors.length,
        ),
        ...(ofProbe ? record(group, 'PROBE', meanCosine(vectors, ofProbe), vectors.length) : []),
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
    open.close();
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
  open: OpenEncoder,
  maxTexts: number,
): Promise<readonly ArrayLike<number>[] | null> {
  const { path, textColumn } = store.corpora.getById(run.corpusId);
  try {
    const { vectors, corpusDigest } = await open.ofCorpus({ file: path, textColumn }, maxTexts);
    return corpusDigest === run.corpusDigest ? vectors : null;
  } catch (error) {
    if (error instanceof CorpusError) return null;
    throw error;
  }
}
