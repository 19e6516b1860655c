import { canonicalJson, type JsonObject } from '../lib/canonical-json.ts';
import { CodedError } from '../lib/coded-error.ts';
import { sha256 } from '../lib/sha256.ts';
import { Allowance, type Limits, type Spent, type Tokens } from './allowance.ts';
import type { ChatReply, ChatRequest, Provider } from './chat.ts';
import { type Clock, wallClock } from './clock.ts';
import {
  type Grader,
  type GraderIdentity,
  identityOf,
  type Parsed,
  type ReplyRule,
} from './define-grader.ts';
import { type Exchange, type ExchangeStore, memoryExchanges } from './exchange-store.ts';
import { ProviderError } from './provider-error.ts';
import { defaultRetry, type RetryRule, withRetries } from './retry.ts';
import { newDelimiter, type Sealed } from './untrusted.ts';

export interface RunnerOptions {
  provider: Provider;
  limits?: Limits | undefined;
  /** In memory by default. */
  exchanges?: ExchangeStore | undefined;
  retry?: Partial<RetryRule> | undefined;
  /** EXACT by default. */
  rule?: ReplyRule | undefined;
  clock?: Clock | undefined;
  /** Uniform in [0, 1), for spreading retries. */
  random?: (() => number) | undefined;
  /** Asks again for a known reply that brings no verdict, which is kept as well. Not of a provider that would say the same. */
  retryInvalid?: boolean | undefined;
  /** Asks nobody and keeps nothing: counts what would be asked if every new question were answered as it should be. */
  dryRun?: boolean | undefined;
  /** Told of every reply, known ones included, and how many questions wait for theirs. */
  onAnswer?: ((answered: Answered, waiting: number) => void) | undefined;
}

/** What questions would come to, at most where replies bring verdicts: a reply that cannot be used is asked for again. */
export interface Plan {
  /** Calls, and questions whose replies are known and cost nothing. */
  calls: number;
  known: number;
  /** Tokens at most: of prompts their bytes, of replies their maximum. */
  most: Tokens;
  /** Null without prices. */
  money: number | null;
}

export interface Answered {
  exchange: Exchange;
  /** It was known already and cost nothing now. Not of one that came while this was asked, too: both were paid for. */
  cached: boolean;
}

/** One question of a grader about some material. */
export interface Question<Verdict, Context> {
  grader: Grader<Verdict, Context>;
  context: Context;
  material: Sealed;
  /** Of the prompt, by name. */
  parts?: Readonly<Record<string, string>>;
  maxTokens: number;
  /** A wish: a model that refuses it is asked without. */
  temperature: number | null;
  /** Tells independent answers to the same question apart: which attempt, which rotation, which repeat. */
  sample?: JsonObject;
}

interface AskOptions {
  /** Tells independent answers to the same question apart. */
  sample?: JsonObject;
  signal?: AbortSignal | undefined;
  /** DEMANDED by default. */
  temperature?: 'DEMANDED' | 'WISHED';
}

/** Everyone's way to an LLM: known replies from the store, new ones within the limits, failures again. */
export class Runner {
  readonly provider: Provider;
  readonly rule: ReplyRule;
  readonly retriesInvalid: boolean;
  readonly #allowance: Allowance;
  readonly #exchanges: ExchangeStore;
  readonly #retry: RetryRule;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #underWay = new Map<string, Promise<Answered>>();
  readonly #dryRun: boolean;
  readonly #onAnswer: RunnerOptions['onAnswer'];
  /** Keys of what was asked of the provider: no reply is asked for again by the runner that got it. */
  readonly #asked = new Set<string>();
  /** Keys of what a dry run would ask, and of what it found known. */
  readonly #planned = { new: new Map<string, Tokens>(), known: new Set<string>() };
  readonly #ending = new AbortController();
  /** Found out by asking: there is no list of the models that take none. */
  #refusesTemperatures = false;

  /** @throws CodedError INVALID_ARGUMENT for limits that make no sense */
  constructor({ limits = {}, clock = wallClock, ...options }: RunnerOptions) {
    const { provider, exchanges, retry, rule, random } = options;
    this.provider = provider;
    this.rule = rule ?? 'EXACT';
    this.#allowance = new Allowance(limits, clock);
    this.#exchanges = exchanges ?? memoryExchanges();
    this.#retry = { ...defaultRetry, ...retry };
    this.#clock = clock;
    this.#random = random ?? Math.random;
    this.retriesInvalid = (options.retryInvalid ?? false) && !provider.deterministic;
    this.#dryRun = options.dryRun ?? false;
    this.#onAnswer = options.onAnswer;
  }

  /** Of this runner; what came from the store cost nothing. */
  get spent(): Spent {
    return this.#allowance.spent;
  }

  /** Of a dry run. */
  get plan(): Plan {
    const asked = [...this.#planned.new.values()];
    const most = {
      prompt: asked.reduce((sum, { prompt }) => sum + prompt, 0),
      completion: asked.reduce((sum, { completion }) => sum + completion, 0),
    };
    return {
      calls: asked.length,
      known: this.#planned.known.size,
      most,
      money: this.#allowance.price(most),
    };
  }

  /** Calls whose replies are waited for even if nobody wants them any more, since they are paid for. */
  get paidUnderWay(): number {
    return this.provider.charges ? this.#allowance.underWay : 0;
  }

  /** Ends it: no call is made from now on. Waits for those under way, whose replies are kept since they are paid for. */
  async end(): Promise<void> {
    this.#ending.abort(new CodedError('CANCELLED', 'nothing is asked any more'));
    await Promise.allSettled(this.#underWay.values());
  }

  /** How graders' replies bring their verdicts: as published in COMPAT, by a call where the provider can otherwise. */
  get form(): 'FUNCTION' | 'TEXT' {
    return this.rule === 'EXACT' && this.provider.callsFunctions ? 'FUNCTION' : 'TEXT';
  }

  /** Asks a grader's question and reads the reply; in the place of one without a verdict, the one it was asked again for. @throws as ask */
  async grade<Verdict, Context>(
    question: Question<Verdict, Context>,
    signal?: AbortSignal,
  ): Promise<Answered & { parsed: Parsed<Verdict> }> {
    const { grader, context, material, parts, maxTokens, temperature, sample = {} } = question;
    const { form, rule } = this;
    const identity = identityOf(grader);
    const compose = (delimiter: string): ChatRequest => ({
      messages: [
        { role: 'system', content: grader.prompt.instructions(form, delimiter, parts) },
        { role: 'user', content: material.message(delimiter) },
      ],
      maxTokens,
      temperature,
      verdict: form === 'FUNCTION' ? grader.form(context) : null,
    });
    for (let again = 0; ; again++) {
      const sampleOf = (time: number) => (time === 0 ? sample : { ...sample, again: time });
      const answered = await this.ask(identity, compose, {
        sample: sampleOf(again),
        signal,
        temperature: 'WISHED',
      });
      const { key, reply } = answered.exchange;
      if (this.#planned.new.has(key))
        return { ...answered, parsed: { verdict: grader.placeholder(context) } };
      const parsed = grader.parse(reply, context, { rule, form });
      const isAskedAgain =
        'invalid' in parsed &&
        ((this.retriesInvalid && !this.#asked.has(key)) ||
          (await this.#exchanges.get(this.#keyOf(identity, compose, sampleOf(again + 1)))));
      if (!isAskedAgain) return { ...answered, parsed };
    }
  }

  /**
   * A reply to a request, which may hold a delimiter that differs from call to call.
   * @param options `temperature`: whether a model that refuses the one asked for is an error, or is asked without
   * @throws ProviderError when all attempts failed; CodedError BUDGET_EXHAUSTED; the signal's reason, unless the reply was under way and paid
   *   for: it is waited for and kept
   */
  async ask(
    grader: GraderIdentity,
    compose: (delimiter: string) => ChatRequest,
    options: AskOptions = {},
  ): Promise<Answered> {
    const { sample = {}, signal } = options;
    this.#untilEnd(signal).throwIfAborted();
    const key = this.#keyOf(grader, compose, sample);
    const underWay = this.#underWay.get(key);
    if (underWay) {
      // Somebody else's asking, which somebody else may cancel.
      const shared = await underWay.catch(() => null);
      signal?.throwIfAborted();
      if (shared) return { ...shared, cached: true };
      return this.ask(grader, compose, options);
    }
    const asking = this.#answer(key, grader, compose, options).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asking);
    const answered = await asking;
    this.#onAnswer?.(answered, this.#underWay.size);
    return answered;
  }

  /** Tells questions apart; a delimiter does not. */
  #keyOf(
    { name, version, promptDigest: prompt }: GraderIdentity,
    compose: (delimiter: string) => ChatRequest,
    sample: JsonObject,
  ): string {
    const { name: provider, endpoint, model } = this.provider;
    const request = this.provider.body(compose(''));
    return sha256(
      canonicalJson({ grader: name, version, prompt, provider, endpoint, model, request, sample }),
    );
  }

  async #answer(
    key: string,
    grader: GraderIdentity,
    compose: (delimiter: string) => ChatRequest,
    { signal, temperature = 'DEMANDED' }: AskOptions,
  ): Promise<Answered> {
    const known = await this.#exchanges.get(key);
    if (known) {
      this.#planned.known.add(key);
      return { exchange: known, cached: true };
    }
    const { provider } = this;
    const request = compose(newDelimiter());
    if (this.#dryRun) {
      this.#planned.new.set(key, worstOf(request));
      return { exchange: unasked(key, grader, provider, request), cached: false };
    }
    const { sent, reply, durationMs, attempts, cost } = await this.#allowance.places.hold(
      () => this.#send(request, temperature === 'WISHED', signal),
      this.#untilEnd(signal),
    );
    const exchange: Exchange = {
      key,
      grader: grader.name,
      graderVersion: grader.version,
      promptDigest: grader.promptDigest,
      provider: provider.name,
      endpoint: provider.endpoint,
      model: provider.model,
      answeredBy: reply.model,
      request: provider.body(sent),
      reply,
      at: new Date(this.#clock.now()).toISOString(),
      durationMs,
      attempts,
      cost,
    };
    this.#asked.add(key);
    return { exchange: await this.#exchanges.put(exchange), cached: false };
  }

  /** A request until it is answered, and as it was sent at last. */
  async #send(request: ChatRequest, mayDropTemperature: boolean, signal: AbortSignal | undefined) {
    const bare = { ...request, temperature: null };
    let sent = mayDropTemperature && this.#refusesTemperatures ? bare : request;
    let attempts = 0;
    const call = () => {
      attempts += 1;
      return this.#call(sent, signal);
    };
    const { value } = await withRetries(
      async () => {
        try {
          return await call();
        } catch (error) {
          const isRefused = error instanceof ProviderError && error.status === 400;
          if (!isRefused || !mayDropTemperature || sent.temperature === null) throw error;
          sent = bare;
          return call();
        }
      },
      this.#retry,
      {
        clock: this.#clock,
        random: this.#random,
        signal: this.#untilEnd(signal),
        onPause: ({ code }, ms) => {
          if (code === 'PROVIDER_BUSY') this.#allowance.pause(ms);
        },
      },
    );
    this.#refusesTemperatures ||= sent !== request;
    return { ...value, sent, attempts };
  }

  #untilEnd(signal: AbortSignal | undefined): AbortSignal {
    const ending = this.#ending.signal;
    return signal ? AbortSignal.any([signal, ending]) : ending;
  }

  /** One attempt, within the limits. */
  #call(request: ChatRequest, signal: AbortSignal | undefined) {
    const worst = worstOf(request);
    const { provider } = this;
    // What is paid for is not given up: the signal ends what comes after it.
    const ending = provider.charges ? undefined : signal;
    return this.#allowance.spend(
      worst,
      this.#untilEnd(signal),
      () => provider.chat(request, { signal: ending }),
      (reply) => tookOf(reply, worst),
    );
  }
}

/** What a dry run has in place of an exchange. */
const unasked = (
  key: string,
  { name, version, promptDigest }: GraderIdentity,
  provider: Provider,
  request: ChatRequest,
): Exchange => ({
  key,
  grader: name,
  graderVersion: version,
  promptDigest,
  provider: provider.name,
  endpoint: provider.endpoint,
  model: provider.model,
  answeredBy: '',
  request: provider.body(request),
  reply: {
    text: '',
    calls: [],
    finish: null,
    model: '',
    usage: { promptTokens: null, completionTokens: null },
    raw: {},
  },
  at: '',
  durationMs: 0,
  attempts: 0,
  cost: null,
});

/** The most tokens a request can take: a token is a byte at least, and a message has a frame. */
function worstOf({ messages, maxTokens, verdict }: ChatRequest): Tokens {
  const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content) + 16, 0);
  return {
    prompt: bytes + (verdict ? Buffer.byteLength(JSON.stringify(verdict)) : 0),
    completion: maxTokens,
  };
}

const tookOf = ({ usage }: ChatReply, worst: Tokens): Tokens => ({
  prompt: usage.promptTokens ?? worst.prompt,
  completion: usage.completionTokens ?? worst.completion,
});
