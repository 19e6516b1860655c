import type { OpenAI } from 'openai';
import { z } from 'zod';
import type { JsonObject, JsonValue } from '../../lib/canonical-json.ts';
import { float32Bytes } from '../../lib/float32-bytes.ts';
import type { Embedder, EmbeddingReply } from '../embedder.ts';
import { ProviderError } from '../provider-error.ts';
import { openAiServer, type ServerOptions } from './openai-server.ts';

export interface OpenAiEmbeddingsOptions extends ServerOptions {
  /** Numbers of a vector, for servers that shorten them when asked; null leaves it to the server. */
  dimensions?: number | null | undefined;
}

/** Any server that speaks OpenAI's embeddings, through OpenAI's client. @throws CodedError INVALID_ARGUMENT */
export function openAiEmbeddings(options: OpenAiEmbeddingsOptions): Embedder {
  const { model, dimensions = null } = options;
  const server = openAiServer(options);
  const { endpoint } = server;
  const body = (texts: readonly string[]): JsonObject => ({
    model,
    input: [...texts],
    // As numbers: the client would ask for base64 otherwise, which not every server knows.
    encoding_format: 'float',
    ...(dimensions !== null && { dimensions }),
  });
  return {
    name: 'openai-compatible',
    ...{ endpoint, model, dimensions, body },
    async embed(texts, { signal }) {
      const given = body(texts) as unknown as OpenAI.EmbeddingCreateParams;
      const answer = await server.ask(
        async (client, together) =>
          (await client.embeddings.create(given, { signal: together })) as unknown as JsonValue,
        signal,
      );
      const reply = readEmbeddings(server.clean(answer), { texts: texts.length, dimensions, asked: model });
      if (typeof reply !== 'string') return reply;
      throw new ProviderError('PROVIDER_FAILED', `${endpoint} answered with no embeddings: ${reply}`, {
        retryable: true,
        mayCost: true,
      });
    },
  };
}

const list = z.object({
  model: z.string().catch(''),
  data: z.array(z.object({ index: z.number().int(), embedding: z.array(z.number()) })),
  usage: z.object({ prompt_tokens: z.number().int().nonnegative() }).nullish().catch(null),
});

/**
 * Embeddings in the order of the texts, by their `index`, in whatever order they came; else what is wrong with them.
 * @param asked the model, for servers that do not say
 */
export function readEmbeddings(
  body: JsonValue,
  { texts, dimensions, asked }: { texts: number; dimensions: number | null; asked: string },
): EmbeddingReply | string {
  const parsed = list.safeParse(body);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0] as z.core.$ZodIssue;
    return `${path.join('.') || 'the reply'}: ${message}`;
  }
  const { data, model, usage } = parsed.data;
  if (data.length !== texts) return `${data.length} of them for ${texts} texts`;
  const width = data[0]?.embedding.length ?? 0;
  if (width === 0 || (dimensions !== null && width !== dimensions))
    return `${width} numbers in a vector${dimensions === null ? '' : `, ${dimensions} were asked for`}`;
  const vectors = new Float32Array(texts * width);
  const seen = new Set<number>();
  for (const { index, embedding } of data) {
    if (index < 0 || index >= texts || seen.has(index))
      return `the index ${index} is not one of a text, or twice`;
    seen.add(index);
    if (embedding.length !== width) return `vectors of ${width} and of ${embedding.length} numbers`;
    vectors.set(embedding, index * width);
    if (vectors.subarray(index * width, (index + 1) * width).every((value) => value === 0))
      return `the vector of text ${index} is zero`;
  }
  if (!vectors.every(Number.isFinite)) return 'a number that is not finite as a float32';
  return {
    vectors: float32Bytes(vectors).toString('base64'),
    width,
    model: model === '' ? asked : model,
    promptTokens: usage?.prompt_tokens ?? null,
  };
}
