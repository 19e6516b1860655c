import { basename, resolve } from 'node:path';
import type { GraderRow, NewGrader, Store } from '../db/index.ts';
import {
  type Answered,
  type ApiKey,
  type ChatReply,
  type Exchange,
  type ExchangeStore,
  type Grader,
  type Limits,
  localModel,
  openAiCompatible,
  type Provider,
  type ReplyRule,
  Runner,
  type RunnerOptions,
} from '../graders/index.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import { Model } from '../native/index.ts';
import { folderDigest } from './digest.ts';
import { alone } from './hold-lease.ts';
import type { WorkOptions } from './stored-run.ts';

/** Which language model is asked. */
export interface ProviderChoice {
  /** "local:" and a checkpoint's folder, or the name of a model that the base URL knows. */
  model: string;
  /** Not for local ones, which have none of what follows. */
  baseUrl?: string | undefined;
  /** Null for a server that wants none. */
  key?: ApiKey | null | undefined;
  /** Allows an address of this machine. */
  loopback?: boolean | undefined;
  callsFunctions?: boolean | undefined;
  stream?: boolean | undefined;
  timeoutMs?: number | undefined;
}

/** Which language model judges, and what it may take. */
export interface JudgeChoice extends ProviderChoice {
  limits?: Limits | undefined;
  rule?: ReplyRule | undefined;
}

export interface JudgeOptions extends WorkOptions {
  /** What is judged, in words: two processes do not have one model judge it at once. */
  about: string;
  /** Counts what would be asked; asks nobody and stores nothing. */
  dryRun?: boolean | undefined;
  onAnswer?: RunnerOptions['onAnswer'];
}

const localPrefix = 'local:';

/** Exchanges in a store: what was asked once is never asked again, by whichever process. */
export const storedExchanges = (store: Pick<Store, 'exchanges'>): ExchangeStore => ({
  get: (key): Exchange | undefined => store.exchanges.get<ChatReply>(key),
  put: (exchange) => store.exchanges.put(exchange),
});

/**
 * Gives a language model as a judge to some work, every reply kept in the store as soon as it has come. When the work ends, however
 * it does, calls under way are waited for, so that none is paid for and lost.
 * @param work given the runner and a signal that also says when another process has taken over
 * @throws CodedError INVALID_ARGUMENT, CONFLICT where another process has this model judge the same; NativeError for a local model that does
 *   not open
 */
export async function withJudge<T>(
  store: Store,
  choice: JudgeChoice,
  options: JudgeOptions,
  work: (runner: Runner, signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  return withProvider(choice, options, async (provider) => {
    const { limits, rule } = choice;
    const { about, dryRun, onAnswer, signal } = options;
    const exchanges = storedExchanges(store);
    const judge = async (stop: AbortSignal | undefined): Promise<T> => {
      const runner = new Runner({ provider, limits, rule, exchanges, dryRun, onAnswer });
      try {
        return await work(runner, stop);
      } finally {
        await runner.end();
      }
    };
    if (dryRun) return judge(signal);
    return alone(store, `${about}, judged by ${provider.model} (${provider.endpoint})`, (lost) =>
      judge(signal ? AbortSignal.any([signal, lost]) : lost),
    );
  });
}

/**
 * Hands a language model to some work, and closes what was opened for it.
 * @throws CodedError INVALID_ARGUMENT; NativeError for a local model that does not open
 */
export async function withProvider<T>(
  choice: ProviderChoice,
  { threads, signal, onPhase }: Pick<WorkOptions, 'threads' | 'signal' | 'onPhase'>,
  work: (provider: Provider) => Promise<T>,
): Promise<T> {
  const { model, baseUrl = 'https://api.openai.com/v1', key = null } = choice;
  if (!model.startsWith(localPrefix)) {
    const { loopback, callsFunctions, stream, timeoutMs } = choice;
    return work(openAiCompatible({ baseUrl, model, key, loopback, callsFunctions, stream, timeoutMs }));
  }
  const folder = resolve(model.slice(localPrefix.length));
  onPhase?.('digest');
  const digest = await folderDigest(folder, signal);
  const opened = await Model.open(folder, { threads, signal });
  try {
    return await work(localModel(opened, { name: basename(folder), digest }));
  } finally {
    opened.close();
  }
}

/** What a grader is in a store, when this runner asks. */
export const graderOf = (
  { name, version, prompt }: Pick<Grader<unknown, never>, 'name' | 'version' | 'prompt'>,
  { provider, rule, form }: Runner,
): NewGrader => ({
  name,
  version,
  promptDigest: prompt.digest,
  provider: provider.name,
  endpoint: provider.endpoint,
  model: provider.model,
  parameters: { rule, form },
});

/** The stored grader of this content, if there is one: a dry run adds none. */
export function findGrader(store: Store, grader: NewGrader): GraderRow | undefined {
  const content = canonicalJson({ ...grader });
  return store.graders.all
    .page(null, { where: { name: { eq: grader.name } } }, { first: 100_000 })
    .rows.find((row) => {
      const { id: _, key: __, createdAt: ___, ...stored } = row;
      return canonicalJson(stored) === content;
    });
}

/** What asking came to, for whoever is told of a batch of grades. */
export interface Asking {
  replies: number;
  /** Of them those that were known already and cost nothing. */
  known: number;
  /** Of them those that brought no verdict: two, none, cut off, of another form. */
  invalid: number;
}

/** Counts the replies that grades were read from. */
export const askingOf = (answers: readonly { cached: boolean; invalid: string | null }[]): Asking => ({
  replies: answers.length,
  known: answers.filter(({ cached }) => cached).length,
  invalid: answers.filter(({ invalid }) => invalid !== null).length,
});

export const noAsking: Asking = { replies: 0, known: 0, invalid: 0 };

/** Keys of the exchanges of some answers, each once. */
export const exchangesOf = (answers: readonly Answered[]): string[] => [
  ...new Set(answers.map(({ exchange }) => exchange.key)),
];
