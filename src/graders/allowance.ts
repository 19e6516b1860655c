import { CodedError } from '../lib/coded-error.ts';
import type { Clock } from './clock.ts';
import { Places } from './places.ts';
import { ProviderError } from './provider-error.ts';

export interface Tokens {
  prompt: number;
  completion: number;
}

export interface Limits {
  /** Questions that are asked at once; 8 by default. */
  concurrency?: number | undefined;
  callsPerMinute?: number | undefined;
  tokensPerMinute?: number | undefined;
  /** Of everything asked of this runner: calls (those that failed, too), tokens, money. */
  calls?: number | undefined;
  tokens?: number | undefined;
  money?: number | undefined;
  /** Money a million tokens of prompt and of reply cost, in whatever currency `money` is. */
  prices?: { prompt: number; completion: number } | undefined;
}

export interface Spent {
  calls: number;
  tokens: number;
  /** Null without prices. */
  money: number | null;
}

/** A call that may be made. Must be settled, once. */
interface Ticket {
  /** What it took; 'WORST' where nobody knows and it may have taken all it was allowed. */
  settle(took: Tokens | 'WORST'): void;
}

const minute = 60_000;

/**
 * Lets calls through one by one, in the order they came: none during a pause, so many a minute, and never beyond what may be spent. A call
 * is let through only if the most it can cost is still there; while others that may turn out cheaper are under way, it waits for them.
 */
export class Allowance {
  /** For questions: one that waits to be asked again keeps its place, so that a provider in trouble is not asked more and more. */
  readonly places: Places;
  readonly #limits: Limits;
  readonly #clock: Clock;
  #turn: Promise<unknown> = Promise.resolve();
  #underWay = 0;
  #reserved = { tokens: 0, money: 0 };
  #spent = { calls: 0, tokens: 0, money: 0 };
  /** Calls of the last minute: when they began, and tokens as far as is known. */
  #recent: { at: number; tokens: number }[] = [];
  #settled = Promise.withResolvers<undefined>();
  #pausedUntil = -Infinity;

  /** @throws CodedError INVALID_ARGUMENT */
  constructor(limits: Limits, clock: Clock) {
    const { prices, ...counts } = limits;
    for (const [name, value] of Object.entries(counts))
      if (value !== undefined && !(value > 0))
        throw new CodedError('INVALID_ARGUMENT', `${name} is ${value}; a number above 0 is expected`);
    if (limits.money !== undefined && prices === undefined)
      throw new CodedError(
        'INVALID_ARGUMENT',
        'a limit of money needs the prices of prompt and completion tokens',
      );
    if (prices && !(prices.prompt >= 0 && prices.completion >= 0))
      throw new CodedError('INVALID_ARGUMENT', 'prices are numbers from 0');
    this.places = new Places(limits.concurrency ?? 8);
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Nobody asks anything for so many milliseconds: whoever is busy for one is busy for all. */
  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#clock.now() + ms);
  }

  get spent(): Spent {
    const { calls, tokens, money } = this.#spent;
    return { calls, tokens, money: this.#limits.prices ? money : null };
  }

  /** Calls that have not been settled. */
  get underWay(): number {
    return this.#underWay;
  }

  /** What tokens cost; null without prices. */
  price({ prompt, completion }: Tokens): number | null {
    const { prices } = this.#limits;
    return prices ? (prompt * prices.prompt + completion * prices.completion) / 1e6 : null;
  }

  /**
   * One call within the limits. One that failed counts what it may have taken.
   * @param worst the most it can take
   * @param tookOf what it took, by its reply
   * @throws CodedError BUDGET_EXHAUSTED; the signal's reason; what the call throws
   */
  async spend<Reply>(
    worst: Tokens,
    signal: AbortSignal | undefined,
    call: () => Promise<Reply>,
    tookOf: (reply: Reply) => Tokens,
  ): Promise<{ reply: Reply; durationMs: number; cost: number | null }> {
    const ticket = await this.#take(worst, signal);
    const started = this.#clock.now();
    let took: Tokens | 'WORST' = 'WORST';
    try {
      const reply = await call();
      took = tookOf(reply);
      return { reply, durationMs: this.#clock.now() - started, cost: this.price(took) };
    } catch (error) {
      if (error instanceof ProviderError && !error.mayCost) took = { prompt: 0, completion: 0 };
      throw error;
    } finally {
      ticket.settle(took);
    }
  }

  /**
   * Waits until a call may be made.
   * @param worst the most it can take
   * @throws CodedError BUDGET_EXHAUSTED; the signal's reason
   */
  async #take(worst: Tokens, signal?: AbortSignal): Promise<Ticket> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#turn = promise;
    try {
      await orAborted(before, signal);
      for (;;) {
        signal?.throwIfAborted();
        const wait = this.#hindrance(worst);
        if (wait === null) return this.#start(worst);
        await (wait === 'SETTLED'
          ? orAborted(this.#settled.promise, signal)
          : this.#clock.wait(wait, signal));
      }
    } finally {
      void before.then(() => {
        resolve(undefined);
      }); // whoever gave up keeps its place until its turn has come
    }
  }

  /** What a call has to wait for: another to be settled, some milliseconds, or nothing. */
  #hindrance(worst: Tokens): 'SETTLED' | number | null {
    const { callsPerMinute = Infinity, tokensPerMinute = Infinity } = this.#limits;
    const tokens = worst.prompt + worst.completion;
    const lacking = this.#lacking(tokens, this.price(worst) ?? 0);
    if (lacking !== null) {
      if (this.#underWay > 0) return 'SETTLED';
      throw new CodedError('BUDGET_EXHAUSTED', lacking);
    }
    const now = this.#clock.now();
    if (now < this.#pausedUntil) return this.#pausedUntil - now;
    this.#recent = this.#recent.filter(({ at }) => now - at < minute);
    const [oldest] = this.#recent;
    const recent = this.#recent.reduce((sum, one) => sum + one.tokens, 0);
    const crowded = this.#recent.length + 1 > callsPerMinute || recent + tokens > tokensPerMinute;
    return oldest && crowded ? oldest.at + minute - now : null;
  }

  #lacking(tokens: number, money: number): string | null {
    const { calls = Infinity, tokens: mostTokens = Infinity, money: mostMoney = Infinity } = this.#limits;
    if (this.#spent.calls + 1 > calls) return `the ${calls} calls allowed have been made`;
    const left = mostTokens - this.#spent.tokens - this.#reserved.tokens;
    if (tokens > left)
      return `${left} of the ${mostTokens} tokens allowed are left; the next call may take ${tokens}`;
    const purse = mostMoney - this.#spent.money - this.#reserved.money;
    if (money > purse)
      return `${purse.toFixed(4)} of the money allowed (${mostMoney}) is left; the next call may cost ${money.toFixed(4)}`;
    return null;
  }

  #start(worst: Tokens): Ticket {
    const tokens = worst.prompt + worst.completion;
    const money = this.price(worst) ?? 0;
    const entry = { at: this.#clock.now(), tokens };
    this.#recent.push(entry);
    this.#underWay += 1;
    this.#spent.calls += 1;
    this.#reserved.tokens += tokens;
    this.#reserved.money += money;
    return {
      settle: (took) => {
        const actual = took === 'WORST' ? worst : took;
        entry.tokens = actual.prompt + actual.completion;
        this.#underWay -= 1;
        this.#reserved.tokens -= tokens;
        this.#reserved.money -= money;
        this.#spent.tokens += entry.tokens;
        this.#spent.money += this.price(actual) ?? 0;
        this.#settled.resolve(undefined);
        this.#settled = Promise.withResolvers();
      },
    };
  }
}

/** The promise, or the signal's reason as soon as it aborts. */
async function orAborted(promise: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) {
    await promise;
    return;
  }
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => {
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
