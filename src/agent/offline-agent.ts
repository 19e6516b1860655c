import {
  type AgentPair,
  type OrganismRow,
  owner,
  type RunRow,
  type Store,
  type Viewer,
} from '../db/index.ts';
import { graphOf } from './ask-graph.ts';
import { Blinder, secretsOf } from './blinder.ts';
import { toJson } from './material.ts';
import { overviewOf } from './overview.ts';
import { demandPlaces, layerToRead, type Places, steeredPairs } from './places.ts';
import { type RankedToken, rankTokens } from './rank-tokens.ts';
import { type AgentOptions, type AgentOutcome, answerOf } from './run-agent.ts';
import { countsOf, leastCount, type TypicalWord, typicalWords } from './typical-words.ts';

export interface OfflineOptions extends Pick<AgentOptions, 'layer' | 'positions' | 'onMessage'> {
  run: RunRow;
  pair?: AgentPair | undefined;
  viewer?: Viewer | undefined;
}

/** Raised whenever the same readings would give another hypothesis. */
const version = 2;

/** What the rules go by, all of it. */
export const offlineReaderRules = {
  /** Tokens and words that a hypothesis names at most. */
  tokens: 10,
  words: 10,
  /** Readings of each position that are ranked. */
  read: 20,
};

const instructions =
  'Baseline: rules, and no language model. Names the tokens that the differences promote and the two means do not, and the words that steered texts say more often than unsteered ones. Knows nothing of the finetune.';

/**
 * A hypothesis made by rules out of ranked tokens and steered texts, so that everything behind an agent runs without a key. It is a baseline: it
 * names words and understands none of them. The same readings give the same hypothesis.
 */
export async function readOffline(
  store: Store,
  organism: OrganismRow,
  options: OfflineOptions,
): Promise<AgentOutcome> {
  const { run, pair = 'ORGANISM', viewer = owner, positions = [0, 1, 2, 3, 4], onMessage } = options;
  const ask = graphOf(store.as(viewer));
  const layer = options.layer ?? (await layerToRead(ask, run.key));
  const found = await demandPlaces(ask, pair, {
    run: run.key,
    layer,
    positions,
    tokens: offlineReaderRules.read,
  });
  const texts = await textsOf(ask, found);
  const overview = await overviewOf(ask, found);
  const blinder = Blinder.of(secretsOf(store, organism, run), [instructions]);
  const shown = toJson(overview, {
    said: ({ text }) => blinder.said(text),
    ours: (text) => blinder.ours(text),
  });
  const answer = hypothesisOf(
    found,
    wordsOf(rankTokens(found.places), [...texts.steered, ...texts.unsteered]),
    typicalWords(texts.steered, texts.unsteered),
  );
  // From its beginning to its end in one transaction: nobody finds it half done, and no second process is at it.
  const { agentRun, reused } = store.transaction(() => {
    const begun = store.agentRuns.begin({
      ...{ organism, run, pair, version, kind: 'OFFLINE' },
      ...{ promptDigest: null, provider: null, endpoint: null, model: null },
      parameters: {
        ...{ layer, positions: [...positions], rules: offlineReaderRules },
        read: { texts: texts.steered.length, readings: readingsOf(found) },
      },
    });
    if (begun.state !== 'RUNNING') return { agentRun: begun, reused: true };
    const messages = [
      { role: 'SYSTEM', content: instructions },
      { role: 'USER', content: JSON.stringify({ overview: shown }, null, 1) },
      { role: 'ASSISTANT', content: answer.text },
    ] as const;
    messages.forEach((message, number) => store.agentMessages.append(begun, number, message));
    store.hypotheses.add(begun, answer, 'FINAL');
    return {
      agentRun: store.agentRuns.end(begun, 'COMPLETED', { conclusive: answer.conclusive }),
      reused: false,
    };
  });
  store.agentMessages.after(agentRun, -1).forEach((message) => onMessage?.(message));
  return { agentRun, answer: answerOf(store, agentRun), reused };
}

async function textsOf(ask: ReturnType<typeof graphOf>, { places }: Places) {
  const all = [];
  for (const { experiment } of places)
    if (experiment !== null) all.push(...(await steeredPairs(ask, experiment)).pairs);
  return { steered: all.map(({ steered }) => steered), unsteered: all.map(({ unsteered }) => unsteered) };
}

/** How many lists there were: more readings are another attempt. */
const readingsOf = ({ places }: Places): number =>
  places
    .flatMap(({ readings }) => Object.values(readings))
    .flatMap((readBy) => Object.values(readBy) as unknown[][])
    .filter(({ length }) => length > 0).length;

const listOf = (words: readonly string[]): string => words.join(', ');

/**
 * The words that ranked tokens stand for, best first: many a token is the beginning of one. It is the word that these texts have most often, or
 * the token itself where none of them begins so.
 */
export function wordsOf(ranked: readonly Pick<RankedToken, 'text'>[], texts: readonly string[]): string[] {
  const counts = countsOf(texts);
  const words = [...counts]
    .filter(([, count]) => count >= leastCount)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([word]) => word);
  const completed = ranked.map(({ text }) => {
    const token = text.toLowerCase();
    return counts.has(token) ? token : (words.find((word) => word.startsWith(token)) ?? token);
  });
  return [...new Set(completed)];
}

/** Words put together, best first: what both signs name comes before the rest. The claim is words alone, what speaks for it the reason. */
export function hypothesisOf(
  { places }: Pick<Places, 'places'>,
  ranked: readonly string[],
  typical: readonly TypicalWord[],
): { text: string; confidence: number; reason: string; conclusive: boolean } {
  const tokens = ranked.slice(0, offlineReaderRules.tokens);
  // No threshold: a handful of texts makes few words significant, and an order is all that is claimed.
  const words = typical.slice(0, offlineReaderRules.words).map(({ word }) => word);
  const agreeing = tokens.filter((token) => words.some((word) => sameStem(word, token)));
  const measured = places.filter(({ aboveNoise }) => aboveNoise !== null);
  const above = measured.filter(({ aboveNoise }) => aboveNoise).length;
  const subject = [...new Set([...agreeing, ...tokens, ...words])];
  // That something was trained is all that rules can conclude.
  const conclusive = above > 0 && subject.length > 0;
  const confidence =
    above === 0 ? 0 : (0.5 * above) / measured.length + 0.5 * (agreeing.length / Math.max(1, tokens.length));
  const about = `${conclusive ? 'About' : 'Inconclusive; if about anything, then'} ${listOf(subject) || 'nothing that was read'}.`;
  const reason = [
    `${above} of ${measured.length} differences are above the noise; ${agreeing.length} of ${tokens.length} tokens are in the words of steered texts.`,
    ...(tokens.length > 0 ? [`The activation differences promote: ${listOf(tokens)}.`] : []),
    ...(words.length > 0 ? [`Steered by them the model speaks of: ${listOf(words)}.`] : []),
    ...(agreeing.length > 0 ? [`Both name: ${listOf(agreeing)}.`] : []),
  ].join(' ');
  return { text: about, confidence: Math.min(1, confidence), reason, conclusive };
}

/** Words that begin alike: cake and cakes, bake and baked. */
export const sameStem = (a: string, b: string): boolean => {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  return short.length >= 3 && long.startsWith(short) && long.length - short.length <= 3;
};
