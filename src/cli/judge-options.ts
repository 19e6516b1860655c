import type { Command } from 'commander';
import type { Store } from '../db/index.ts';
import type { Limits, Plan, Runner } from '../graders/index.ts';
import { CodedError } from '../lib/coded-error.ts';
import type { Asking, JudgeChoice, JudgeOptions } from '../runs/judge.ts';
import { nonNegative, positive, wholeNumber } from './options.ts';
import { plain } from './plain.ts';
import { addProviderOptions, isLocal, providerChoice, type ProviderFlags } from './provider-options.ts';
import { withProgress } from './with-progress.ts';

/** How fast a language model may be asked, and what may be spent on it. */
export interface LimitFlags {
  callsPerMinute?: number;
  tokensPerMinute?: number;
  maxTokens?: number;
  maxCost?: number;
  promptPrice?: number;
  replyPrice?: number;
}

/** What a command knows of the language model that judges. */
export interface JudgeFlags extends ProviderFlags, LimitFlags {
  publishedReplies?: boolean;
  concurrency: number;
  maxCalls?: number;
}

const addRateOptions = (command: Command): Command =>
  command
    .option('--calls-per-minute <n>', 'calls begun in a minute at most', wholeNumber(1))
    .option('--tokens-per-minute <n>', 'tokens in a minute at most', wholeNumber(1));

/** @param of whose spending it is, where that is not the command's alone */
const addSpendingOptions = (command: Command, of = ''): Command =>
  command
    .option('--max-tokens <n>', `tokens at most, of prompts and replies${of}`, wholeNumber(1))
    .option('--max-cost <x>', `money at most, by the two prices${of}`, positive)
    .option('--prompt-price <x>', 'money for a million tokens of prompts', nonNegative)
    .option('--reply-price <x>', 'money for a million tokens of replies', nonNegative);

/** How fast a language model may be asked, and what may be spent on it. */
export const addLimitOptions = (command: Command, of: string): Command =>
  addSpendingOptions(addRateOptions(command), of);

/** @throws CodedError INVALID_ARGUMENT for one price without the other */
export function limitsOf({ promptPrice, replyPrice, ...flags }: LimitFlags): Limits {
  if ((promptPrice === undefined) !== (replyPrice === undefined))
    throw new CodedError('INVALID_ARGUMENT', '--prompt-price and --reply-price are given together');
  return {
    callsPerMinute: flags.callsPerMinute,
    tokensPerMinute: flags.tokensPerMinute,
    tokens: flags.maxTokens,
    money: flags.maxCost,
    ...(promptPrice !== undefined &&
      replyPrice !== undefined && { prices: { prompt: promptPrice, completion: replyPrice } }),
  };
}

/** The same options on every command that asks a language model for verdicts. */
export const addJudgeOptions = (command: Command): Command =>
  addSpendingOptions(
    addRateOptions(
      addProviderOptions(command, { does: 'judges', replies: 'verdicts' })
        .option(
          '--published-replies',
          'read replies as published: lines of text, of several verdicts the last',
        )
        .option('--concurrency <n>', 'calls under way at once', wholeNumber(1, 1000), 8),
    ).option('--max-calls <n>', 'calls at most, failed ones included', wholeNumber(1)),
  );

/** @throws CodedError INVALID_ARGUMENT without a model; KEY_MISSING, KEY_EXPOSED, KEY_INVALID */
export async function judgeChoice(flags: JudgeFlags): Promise<JudgeChoice> {
  const { model } = flags;
  if (model === undefined)
    throw new CodedError('INVALID_ARGUMENT', 'a language model is to judge; name it with --model');
  const limits = limitsOf(flags);
  return {
    ...(await providerChoice(flags, model)),
    rule: flags.publishedReplies ? 'COMPAT' : 'EXACT',
    limits: { ...limits, concurrency: isLocal(model) ? 1 : flags.concurrency, calls: flags.maxCalls },
  };
}

/**
 * Runs work that asks the judge, with a bar of replies. However it ends, it says what was kept.
 * @param work given the runner and what to hand on
 */
export async function askJudge<T>(
  label: string,
  store: Store,
  choice: JudgeChoice,
  {
    about,
    dryRun = false,
    bar = 'REPLIES',
    threads,
  }: {
    /** What is judged, in words that tell it from other judging. */
    about: string;
    dryRun?: boolean | undefined;
    /** Whether the bar is of replies, or of whatever the work reports. */
    bar?: 'REPLIES' | 'WORK';
    threads?: number | undefined;
  },
  work: (runner: Runner, options: JudgeOptions) => Promise<T>,
): Promise<T> {
  const { withJudge } = await import('../runs/judge.ts');
  let kept = 0;
  const clause = () =>
    kept === 0
      ? 'nothing was stored'
      : `${kept} new ${kept === 1 ? 'reply is' : 'replies are'} kept, and not paid for again`;
  try {
    return await withProgress(
      label,
      (progress) => {
        const options: JudgeOptions = {
          ...{ ...progress, about, dryRun, threads },
          onAnswer({ cached }, waiting) {
            if (cached || dryRun) return;
            kept += 1;
            if (bar === 'REPLIES') progress.onProgress?.({ done: kept, total: kept + waiting });
          },
        };
        return withJudge(store, choice, options, (runner, signal) => work(runner, { ...options, signal }));
      },
      clause,
    );
  } catch (error) {
    if (error instanceof CodedError && kept > 0)
      throw new CodedError(error.code, `${error.message} (${clause()})`, { cause: error });
    throw error;
  }
}

/** A dry run in words. */
export function planLine({ calls, known, most, money }: Plan): string {
  const number = (value: number) => value.toLocaleString('en-US');
  const already = known === 0 ? '' : `; ${number(known)} more are known and cost nothing`;
  const tokens = `about ${number(Math.ceil(most.prompt / 4))} tokens of prompts (${number(most.prompt)} at most) and at most ${number(most.completion)} of replies`;
  const cost = money === null ? '' : `, ${money.toFixed(4)} at most`;
  return `${number(calls)} calls: ${tokens}${cost}${already}. A reply that cannot be used is asked for again, which costs more.`;
}

/** What asking came to, in words. */
export function askingLine({ replies, known, invalid }: Asking, { spent }: Runner): string {
  const cost = spent.money === null ? '' : `, ${spent.money.toFixed(4)}`;
  return `${replies} replies, ${known} of them known before, ${invalid} without a usable verdict; ${spent.calls} calls, ${spent.tokens.toLocaleString('en-US')} tokens${cost}, the canary’s included`;
}

/** Tells on standard error that a judge can be talked into a verdict. */
export function warnOfCanary(canaries: readonly { flagged: boolean }[]): void {
  const flagged = canaries.filter((canary) => canary.flagged).length;
  if (flagged > 0)
    process.stderr.write(
      `warning: ${plain(`in ${flagged} of ${canaries.length} ${canaries.length === 1 ? 'batch' : 'batches'} a verdict smuggled into a text changed the judge’s; nothing it said of them should be trusted`)}\n`,
    );
}
