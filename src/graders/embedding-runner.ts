import { canonicalJson } from '../lib/canonical-json.ts';
import { float32Values } from '../lib/float32-bytes.ts';
import { sha256 } from '../lib/sha256.ts';
import { l2Norm } from '../lib/vector-math.ts';
import { Allowance, type Limits, type Spent } from './allowance.ts';
import { type Clock, wallClock } from './clock.ts';
import type { Embedder, EmbeddingReply } from './embedder.ts';
import type { Exchange, ExchangeStore } from './exchange-store.ts';
import { ProviderError } from './provider-error.ts';
import { defaultRetry, type RetryRule, withRetries } from './retry.ts';

export interface EmbeddingRunnerOptions {
  embedder: Embedder;
  exchanges: ExchangeStore<EmbeddingReply>;
  limits?: Limits | undefined;
  retry?: Partial<RetryRule> | undefined;
  clock?: Clock | undefined;
  /** Uniform in [0, 1), for spreading retries. */
  random?: (() => number) | undefined;
}

/** Of one request at most; servers take 2,048 texts and some hundred thousand tokens. */
const mostOfRequest = { texts: 64, bytes: 256 * 1024 };
const name = 'text-embedding';
/** Raised whenever the same replies would give other vectors. */
const version = 1;

/** Everyone's way to an embedder: known replies from the store, new ones within the limits, failures again. */
export class EmbeddingRunner {
  readonly embedder: Embedder;
  readonly #exchanges: ExchangeStore<EmbeddingReply>;
  readonly #allowance: Allowance;
  readonly #retry: RetryRule;
  readonly #clock: Clock;
  readonly #random: () => number;
  #width: number | null;

  /** @throws CodedError INVALID_ARGUMENT for limits that make no sense */
  constructor({
    embedder,
    exchanges,
    limits = {},
    retry,
    clock = wallClock,
    random,
  }: EmbeddingRunnerOptions) {
    this.embedder = embedder;
    this.#exchanges = exchanges;
    this.#allowance = new Allowance(limits, clock);
    this.#retry = { ...defaultRetry, ...retry };
    this.#clock = clock;
    this.#random = random ?? Math.random;
    this.#width = embedder.dimensions;
  }

  /** Of this runner; what came from the store cost nothing. */
  get spent(): Spent {
    return this.#allowance.spent;
  }

  /**
   * A vector of length 1 for each text, all of one width. Each reply is stored before the next is asked for.
   * @throws ProviderError when all attempts failed; CodedError BUDGET_EXHAUSTED; the signal's reason, once the reply under way is stored
   */
  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const vectors: Float32Array[] = [];
    for (const request of requestsOf(texts)) {
      signal?.throwIfAborted();
      vectors.push(...unitVectors(await this.#reply(request, signal)));
    }
    return vectors;
  }

  async #reply(texts: readonly string[], signal: AbortSignal | undefined): Promise<EmbeddingReply> {
    const { embedder } = this;
    const { name: provider, endpoint, model } = embedder;
    const request = embedder.body(texts);
    const key = sha256(canonicalJson({ grader: name, version, provider, endpoint, model, request }));
    const known = await this.#exchanges.get(key);
    if (known) return this.#checked(known.reply);
    const { value, attempts } = await withRetries(() => this.#call(texts, signal), this.#retry, {
      clock: this.#clock,
      random: this.#random,
      signal,
    });
    const exchange: Exchange<EmbeddingReply> = {
      ...{ key, grader: name, graderVersion: version, promptDigest: '', provider, endpoint, model },
      answeredBy: value.reply.model,
      ...{ request, attempts, ...value },
      at: new Date(this.#clock.now()).toISOString(),
    };
    return this.#checked((await this.#exchanges.put(exchange)).reply);
  }

  /** One attempt, within the limits. */
  #call(texts: readonly string[], signal: AbortSignal | undefined) {
    const worst = { prompt: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0), completion: 0 };
    return this.#allowance.spend(
      worst,
      signal,
      async () => this.#checked(await this.embedder.embed(texts)),
      ({ promptTokens }) => ({ prompt: promptTokens ?? worst.prompt, completion: 0 }),
    );
  }

  /** Vectors of two widths cannot be compared. @throws ProviderError */
  #checked(reply: EmbeddingReply): EmbeddingReply {
    this.#width ??= reply.width;
    if (reply.width === this.#width) return reply;
    throw new ProviderError(
      'PROVIDER_FAILED',
      `${this.embedder.model} gave vectors of ${this.#width} and of ${reply.width} numbers; say how many by the dimensions`,
      { retryable: false, mayCost: true },
    );
  }
}

/** Texts in their order, as many at once as a request holds. */
function requestsOf(texts: readonly string[]): string[][] {
  const requests: string[][] = [];
  let bytes = Infinity;
  for (const text of texts) {
    const size = Buffer.byteLength(text);
    const last = requests.at(-1);
    if (!last || last.length === mostOfRequest.texts || bytes + size > mostOfRequest.bytes) {
      requests.push([text]);
      bytes = size;
    } else {
      last.push(text);
      bytes += size;
    }
  }
  return requests;
}

function unitVectors({ vectors, width }: EmbeddingReply): Float32Array[] {
  const all = float32Values(Buffer.from(vectors, 'base64'));
  return Array.from({ length: all.length / width }, (_, i) => {
    const vector = all.subarray(i * width, (i + 1) * width);
    const length = l2Norm(vector);
    return vector.map((value) => value / length);
  });
}
