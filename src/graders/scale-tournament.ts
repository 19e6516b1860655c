import { z } from 'zod';
import { CodedError } from '../lib/coded-error.ts';
import { defineGrader } from './define-grader.ts';
import { promptFile } from './prompt-file.ts';
import type { Answered, Runner } from './runner.ts';
import { sealed } from './untrusted.ts';

/** What a vector says at one scale, the strongest token first. */
export interface ScaleTokens {
  /** > 0 */
  scale: number;
  tokens: readonly string[];
  /** A measure to choose by where the LLM gives no usable answer; see chooseScale. */
  score?: number | undefined;
}

export interface ScaleVerdict {
  scale: number;
  /** Those that belong together, without space around them. */
  tokens: string[];
}

const given = z.strictObject({ comparison: z.string(), scale: z.number(), tokens: z.array(z.string()) });

const rounded = (scale: number): number => Math.round(10 * scale) / 10;

/** Chooses the scale whose tokens make the most sense: method.md §5.5. The context is the scales there are to choose from. */
export const scaleTournament = defineGrader<ScaleVerdict, z.infer<typeof given>, readonly ScaleTokens[]>({
  name: 'scale-tournament',
  version: 2,
  summary: 'At which scale the tokens of a reading make the most sense, and which of them belong together.',
  labels: [],
  prompt: promptFile('scale-tournament.md'),
  placeholder: (group) => ({ scale: byScore(group).scale, tokens: [] }),
  form: () => ({
    name: 'give_scale',
    description:
      'The scale whose tokens are the most coherent, and those of its tokens that belong together.',
    schema: {
      type: 'object',
      additionalProperties: false,
      required: ['comparison', 'scale', 'tokens'],
      properties: {
        comparison: { type: 'string', description: 'The best scales weighed against each other.' },
        scale: { type: 'number' },
        tokens: { type: 'array', items: { type: 'string' } },
      },
    },
  }),
  arguments: given,
  fromArguments: ({ scale, tokens }, group) => ofGroup({ scale, tokens: trimmed(tokens) }, group),
  verdictsIn(text) {
    const scales = [...text.matchAll(/^[^\S\n]*BEST_SCALER[^\S\n]*:[^\S\n]*(\d+(?:\.\d+)?)[^\S\n]*$/gim)];
    const tokens = [...text.matchAll(/^[^\S\n]*TOP_TOKENS[^\S\n]*:(.*)$/gim)];
    // Two lists for one scale are two verdicts, too; a list for none is none.
    const count = scales.length === 0 ? 0 : Math.max(scales.length, tokens.length);
    return Array.from({ length: count }, (_, i) => ({
      scale: rounded(Number((scales[i] ?? scales[0])?.[1])),
      tokens: trimmed((tokens[i] ?? tokens[0])?.[1]?.split('|') ?? []),
    }));
  },
  published: 'FIRST',
});

/** A verdict about a scale of the group that has tokens; what it names besides is left out. */
function ofGroup(verdict: ScaleVerdict, group: readonly ScaleTokens[]) {
  const chosen = group.find(({ scale }) => rounded(scale) === rounded(verdict.scale));
  if (!chosen) return { invalid: `scale ${verdict.scale}, which was not there to choose` };
  const shown = trimmed(telling(chosen.tokens));
  if (shown.length === 0) return { invalid: `scale ${verdict.scale}, which has no tokens` };
  return {
    verdict: { scale: chosen.scale, tokens: verdict.tokens.filter((token) => shown.includes(token)) },
  };
}

const trimmed = (tokens: readonly string[]): string[] =>
  tokens.map((token) => token.trim()).filter((token) => token !== '');

/** Tokens without what only echoes the identity prompts: ASCII punctuation alone, and their arrows. */
const telling = (tokens: readonly string[]): string[] =>
  tokens.filter(
    (token) => token.trim() !== '' && !/^\s*[!-/:-@[-`{-~]+\s*$/.test(token) && !/[-=]>/.test(token),
  );

export interface TournamentResult {
  /** Null where no scale has a token. */
  scale: number | null;
  /** All tokens of the chosen scale, as given, and those that belong together. */
  tokens: readonly string[];
  selected: string[];
  /** Every group that was asked about. */
  matches: {
    round: number;
    scales: number[];
    /** `BY_SCORE` where no reply could be used. */
    decided: 'BY_LLM' | 'BY_SCORE';
    winner: number;
    answers: (Answered & { invalid: string | null })[];
  }[];
  removed: number;
}

/** As published: groups of at most ten neighbours, three calls for a usable reply, at most ten rounds. */
const published = { group: 10, attempts: 3, rounds: 10, maxTokens: 10_000 };

/**
 * Groups of neighbouring scales are asked about at the same time, their winners meet in the next round, until one is left. Where no
 * reply about a group can be used (a scale that was not in it, no verdict), the best score of the group goes on, else its middle.
 * @throws CodedError INVALID_ARGUMENT for scales that are not above 0 or not told apart by one decimal; what Runner.ask throws
 */
export async function scaleByTournament(
  runner: Runner,
  readings: readonly ScaleTokens[],
  signal?: AbortSignal,
): Promise<TournamentResult> {
  const scales = readings.map(({ scale }) => rounded(scale));
  if (new Set(scales).size !== scales.length || scales.some((scale) => !(scale > 0)))
    throw new CodedError(
      'INVALID_ARGUMENT',
      `the scales ${readings.map(({ scale }) => scale).join(', ')} are not all above 0 and told apart by one decimal`,
    );
  const result: TournamentResult = { scale: null, tokens: [], selected: [], matches: [], removed: 0 };
  let left = [...readings].sort((a, b) => a.scale - b.scale);
  if (left.every(({ tokens }) => telling(tokens).length === 0)) return result;
  for (let round = 0; round < published.rounds; round++) {
    const groups = groupsOf(left).filter((group) => group.some(({ tokens }) => telling(tokens).length > 0));
    const matches = await Promise.all(groups.map((group) => match(runner, group, round, signal)));
    for (const { removed, winner, round, scales, decided, answers } of matches) {
      result.matches.push({ round, scales, decided, winner: winner.scale, answers });
      result.removed += removed;
    }
    const [only, ...others] = matches;
    if (only && others.length === 0) {
      const { winner, verdict } = only;
      return { ...result, scale: winner.scale, tokens: winner.tokens, selected: verdict?.tokens ?? [] };
    }
    left = matches.map(({ winner }) => winner);
  }
  throw new Error('a tournament of so many scales was not foreseen');
}

function groupsOf<T>(list: readonly T[]): T[][] {
  const groups: T[][] = [];
  for (let from = 0; from < list.length; from += published.group)
    groups.push(list.slice(from, from + published.group));
  return groups;
}

async function match(
  runner: Runner,
  group: readonly ScaleTokens[],
  round: number,
  signal: AbortSignal | undefined,
) {
  const material = sealed({
    readings: group
      .map(({ scale, tokens }) => ({ scale: rounded(scale), tokens: telling(tokens) }))
      .filter(({ tokens }) => tokens.length > 0),
    scales: group.map(({ scale }) => rounded(scale)),
  });
  const answers: TournamentResult['matches'][number]['answers'] = [];
  const facts = { round, scales: group.map(({ scale }) => scale), answers, removed: material.removed };
  const attempts = runner.provider.deterministic ? 1 : published.attempts;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const { parsed, ...answered } = await runner.grade(
      {
        grader: scaleTournament,
        context: group,
        material,
        maxTokens: published.maxTokens,
        temperature: null,
        sample: { attempt },
      },
      signal,
    );
    const checked = 'verdict' in parsed ? ofGroup(parsed.verdict, group) : parsed;
    answers.push({ ...answered, invalid: 'invalid' in checked ? checked.invalid : null });
    if ('verdict' in checked) {
      const { verdict } = checked;
      const winner = group.find(({ scale }) => scale === verdict.scale);
      if (winner) return { ...facts, decided: 'BY_LLM' as const, winner, verdict };
    }
  }
  return { ...facts, decided: 'BY_SCORE' as const, winner: byScore(group), verdict: null };
}

/** The best score among those that have tokens; without scores the one in the middle. */
function byScore(group: readonly ScaleTokens[]): ScaleTokens {
  const speaking = group.filter(({ tokens }) => telling(tokens).length > 0);
  const scored = speaking.filter(({ score }) => score !== undefined);
  const best = scored.reduce<ScaleTokens | undefined>(
    (one, other) => (one === undefined || (other.score ?? 0) > (one.score ?? 0) ? other : one),
    undefined,
  );
  const winner = best ?? speaking[speaking.length >> 1];
  if (!winner) throw new Error('a group without tokens was asked about');
  return winner;
}
