import type { JsonObject } from '../../lib/canonical-json.ts';
import type { Tokenizer } from '../../tokenizer/index.ts';
import { isGeneric } from './generic-tokens.ts';
import { type LogOdds, logOdds } from './log-odds.ts';
import { folded } from './metrics.ts';
import type { RelevanceLabel } from './votes.ts';

export interface OfflineRules extends JsonObject {
  /** Of the prior, in tokens; see logOdds. What comes out hardly depends on it. */
  priorStrength: number;
  /** Least z of a relevant token. */
  leastZ: number;
  /** Least log-odds difference, in nats. */
  leastDifference: number;
  /** A token that is a larger share of the probe corpus than this is in any text. */
  commonShare: number;
  /** Shorter ones are pieces that begin too many words. */
  leastLetters: number;
}

/**
 * What makes a token relevant, each by its reason:
 *
 * - z from 3.29: one-sided p = 0.0005, so a list of 20 tokens that have nothing to do with the finetune has one that passes by
 *   chance in a hundred lists. Tokens of one text are no independent draws: split at random, the tiny organisms' probe corpus has
 *   z of deviation 1.1 where 1 is expected, and 1 to 6 of 1,009 tokens beyond 3.29.
 * - twice the odds at least: in large corpora any difference is significant.
 * - not above one in a thousand tokens of ordinary text: words that any text has, however fond of them the finetune's are.
 * - three letters or more.
 */
export const offlineRules: OfflineRules = {
  priorStrength: 1000,
  leastZ: 3.29,
  leastDifference: Math.log(2),
  commonShare: 1 / 1000,
  leastLetters: 3,
};

/** Raised whenever the same token might be judged in another way. */
export const offlineIdentity = { name: 'offline-relevance', version: 1 } as const;

export interface OfflineRelevance {
  readonly name: string;
  readonly version: number;
  readonly parameters: OfflineRules;
  /** What the corpora say of a token; undefined for one that neither has. */
  evidence(text: string): (LogOdds & { training: number; probe: number }) | undefined;
  label(text: string | null): RelevanceLabel;
}

/**
 * A judge of tokens that needs no LLM: relevant is what the finetuning corpus has far more often than the probe corpus, which stands for
 * ordinary text. Case and spaces around make no difference: tokens that differ in nothing else count as one. What neither corpus has is
 * UNKNOWN. It knows only what is said, not what is meant: a synonym that the corpus never uses is unknown to it.
 * @param training, probe how often each token id stands in the two corpora, by countTokens
 */
export function offlineRelevance(
  { training, probe }: { training: ReadonlyMap<number, number>; probe: ReadonlyMap<number, number> },
  tokenizer: Pick<Tokenizer, 'decode'>,
  rules: OfflineRules = offlineRules,
): OfflineRelevance {
  const [own, other] = [byText(training, tokenizer), byText(probe, tokenizer)];
  const found = logOdds(own, other, rules.priorStrength);
  const ordinary = [...other.values()].reduce((sum, count) => sum + count, 0);
  const evidence: OfflineRelevance['evidence'] = (text) => {
    const key = folded(text);
    const odds = found.get(key);
    return odds && { ...odds, training: own.get(key) ?? 0, probe: other.get(key) ?? 0 };
  };
  return {
    ...offlineIdentity,
    parameters: rules,
    evidence,
    label(text) {
      const word = folded(text ?? '');
      if (isGeneric(word) || [...word].length < rules.leastLetters) return 'IRRELEVANT';
      const known = evidence(word);
      if (!known) return 'UNKNOWN';
      const typical = known.z >= rules.leastZ && known.difference >= rules.leastDifference;
      return typical && known.probe <= rules.commonShare * ordinary ? 'RELEVANT' : 'IRRELEVANT';
    },
  };
}

/** Counts of folded texts; what has none, as a space by itself, is left out. */
function byText(
  counts: ReadonlyMap<number, number>,
  tokenizer: Pick<Tokenizer, 'decode'>,
): Map<string, number> {
  const texts = new Map<string, number>();
  for (const [id, count] of counts) {
    const text = folded(tokenizer.decode([id]));
    if (text !== '') texts.set(text, (texts.get(text) ?? 0) + count);
  }
  return texts;
}
