import type { EmbeddingRunner } from '../../graders/index.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { sha256 } from '../../lib/sha256.ts';
import { CorpusError, eachText } from '../corpus.ts';
import type { TextEncoder } from './encoder.ts';

/**
 * A model behind a server's embeddings. Texts are cut by characters, since its tokens are not known.
 * @param maxCharacters of a text, counted as Unicode code points
 */
export function endpointEncoder(
  runner: EmbeddingRunner,
  { maxCharacters = 1000 }: { maxCharacters?: number } = {},
): TextEncoder {
  const { name: provider, endpoint, model, dimensions } = runner.embedder;
  const cut = (text: string): string =>
    [...text.trim().slice(0, 2 * maxCharacters)].slice(0, maxCharacters).join('');
  return {
    name: model,
    // What stands behind an address cannot be digested: this names it, and no more.
    digest: sha256(canonicalJson({ provider, endpoint, model, dimensions })),
    parameters: { provider, dimensions, maxCharacters },
    open: (signal) =>
      Promise.resolve({
        async ofCorpus(corpus, most, onPhase) {
          const texts: string[] = [];
          const { digest } = await eachText(
            corpus,
            (text) => void (texts.length < most && text.trim() !== '' && texts.push(cut(text))),
            signal,
          );
          if (texts.length === 0) throw new CorpusError('CORPUS_UNUSABLE', corpus.file, 'has no text');
          onPhase?.('embed');
          return { vectors: await runner.embed(texts, signal), corpusDigest: digest };
        },
        ofTexts: (texts) => runner.embed(texts.map(cut), signal),
        close: () => undefined,
      }),
  };
}
