import { basename, resolve } from 'node:path';
import type { ModelRow } from '../../db/index.ts';
import { Model } from '../../native/index.ts';
import { selectTexts } from '../corpus.ts';
import { folderDigest } from '../digest.ts';
import type { WorkOptions } from '../stored-run.ts';
import { unchangedDigest } from '../unchanged-digest.ts';
import type { TextEncoder } from './encoder.ts';

const pooling = 'mean';

/**
 * A checkpoint in our own engine, a registered model or any folder: the mean of its final activations. Its last token, the alternative,
 * says how a text goes on, and these texts are cut anywhere.
 * @throws CodedError MODEL_CHANGED when it is opened; NativeError
 */
export async function checkpointEncoder(
  which: ModelRow | string,
  {
    threads,
    signal,
    maxTokens = 256,
  }: Pick<WorkOptions, 'threads' | 'signal'> & {
    /** That are read of a text. */ maxTokens?: number | undefined;
  } = {},
): Promise<TextEncoder> {
  const registered = typeof which === 'string' ? null : which;
  const folder = resolve(typeof which === 'string' ? which : which.path);
  return {
    name: registered?.name ?? basename(folder),
    digest: registered?.digest ?? (await folderDigest(folder, signal)),
    parameters: { pooling, maxTokens },
    async open(opening) {
      if (registered) await unchangedDigest(registered, 'base model', opening);
      const model = await Model.open(folder, { threads, signal: opening });
      const embed = (tokens: readonly number[][]) => model.embed(tokens, { pooling, signal: opening });
      return {
        async ofCorpus(corpus, most, onPhase) {
          const { tokens, corpusDigest } = await selectTexts({
            ...corpus,
            tokenizer: model.tokenizer,
            ...{ positions: maxTokens, leastTokens: 1, maxSamples: most, signal: opening },
          });
          onPhase?.('embed');
          return { vectors: await embed(tokens), corpusDigest };
        },
        async ofTexts(texts) {
          const tokens = texts
            .map((text) => model.tokenizer.encode(text).slice(0, maxTokens))
            .filter(({ length }) => length > 0);
          return tokens.length === 0 ? [] : embed(tokens);
        },
        close: () => model.close(),
      };
    },
  };
}
