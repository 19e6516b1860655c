import type { AgentAttempt, GraderRow, GradeRow } from '../db/index.ts';
import {
  type AgentLimits,
  type AgentSetting,
  bySetting,
  claimsOf,
  type OfOrganism,
  scoresOf,
} from '../graders/agent-scores.ts';
import { type OfGroup, overOrganisms } from '../graders/statistics.ts';
import { canonicalJson, type JsonValue } from '../lib/canonical-json.ts';
import type { AgentScores } from './facts.ts';
import { digits, escapeMarkdown, percent } from './markdown.ts';

/** Agent runs of one setting. */
export interface Setting {
  /** With what tells it from other settings of the same agent. */
  who: string;
  /** Null of one that asks nobody. */
  budget: AgentLimits | null;
  isNull: boolean;
  attempts: AgentAttempt[];
  /** The same with the verdicts of a grader, by its key. */
  byGrader: ReadonlyMap<string, AgentAttempt[]>;
}

const names = { AGENT: 'agent', BLACK_BOX: 'black box', OFFLINE: 'offline, rules only' } as const;

const nameOf = ({ kind, pair, model }: AgentSetting): string =>
  `${names[kind]}${model === null ? '' : ` (${model})`}${pair === 'NULL' ? ', null pair' : ''}`;

/** What may tell settings of one name apart, budgets left out. */
function traitsOf({ version, provider, promptDigest, depth, rest }: AgentSetting): Map<string, string> {
  const traits = new Map<string, string>();
  const add = (name: string, value: JsonValue | undefined): void => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      for (const [part, of] of Object.entries(value)) add(`${name} ${part}`, of);
    else traits.set(name, typeof value === 'string' ? value : canonicalJson(value ?? null));
  };
  add('version', version);
  add('provider', provider);
  add('instructions', promptDigest?.slice(0, 8));
  add('depth', depth);
  for (const name of Object.keys(rest).sort()) add(name, rest[name]);
  return traits;
}

/** Names of settings, each with what differs among those of one name. */
function namesOf(settings: readonly AgentSetting[]): string[] {
  const told = settings.map((setting) => ({ name: nameOf(setting), traits: traitsOf(setting) }));
  return told.map(({ name, traits }) => {
    const namesakes = told.filter((other) => other.name === name);
    const all = new Set(namesakes.flatMap((other) => [...other.traits.keys()]));
    const differing = [...all].filter(
      (trait) => new Set(namesakes.map((other) => other.traits.get(trait))).size > 1,
    );
    return [name, ...differing.map((trait) => `${trait} ${traits.get(trait) ?? '–'}`)].join(', ');
  });
}

/** In the order of the report: organisms before null pairs, each by kind, model and rising budget. */
export function settingsOf(scores: readonly AgentScores[]): Setting[] {
  const graded = scores.map(({ grader, attempts }) => ({
    grader,
    settings: new Map(bySetting(attempts).map(({ key, attempts: own }) => [key, own])),
  }));
  const all = bySetting(scores[0]?.attempts ?? []);
  const told = namesOf(all.map(({ setting }) => setting));
  return all.map(({ setting, key, attempts }, i) => ({
    who: told[i] as string,
    budget: setting.budget,
    isNull: setting.pair === 'NULL',
    attempts,
    byGrader: new Map(
      graded.flatMap(({ grader, settings }) => (grader ? [[grader.key, settings.get(key) ?? []]] : [])),
    ),
  }));
}

/** Settings without the organisms whose training was diluted. */
export function undilutedOf(settings: readonly Setting[]): Setting[] {
  const undiluted = (attempts: readonly AgentAttempt[]) =>
    attempts.filter(({ mixRatio }) => (mixRatio ?? 0) === 0);
  return settings
    .map((setting) => ({
      ...setting,
      attempts: undiluted(setting.attempts),
      byGrader: new Map([...setting.byGrader].map(([key, attempts]) => [key, undiluted(attempts)])),
    }))
    .filter(({ attempts }) => attempts.length > 0);
}

export const gradeBy = (grader: GraderRow, grades: readonly GradeRow[]): GradeRow | undefined =>
  grades.find((grade) => grade.grader.key === grader.key);

/** Judges give 1 to 5, rules a share of words. */
export const isShare = ({ model }: GraderRow): boolean => model === null;
export const formatOf = (grader: GraderRow) => (isShare(grader) ? percent : (value: number) => digits(value));
export const scaleOf = (grader: GraderRow): string =>
  isShare(grader)
    ? 'F1 of the words that answer and ground truth share; a paraphrase counts for nothing.'
    : 'a score from 1 to 5 by the rubric of the organism’s kind.';
export const titleOf = ({ name, model }: GraderRow): string =>
  escapeMarkdown(`${name}${model === null ? '' : ` (${model})`}`);

export interface OverAttempts {
  /** Of each organism its mean. */
  values: number[];
  over: OfGroup | null;
}

function overMeans(organisms: readonly OfOrganism[]): OverAttempts {
  const values = organisms.map(({ mean }) => mean);
  return { values, over: overOrganisms(values) };
}

export const scores = (grader: GraderRow, { byGrader }: Setting): OverAttempts =>
  overMeans(scoresOf(byGrader.get(grader.key) ?? []));

/** Of answers only: who has none claims nothing. */
export const claims = ({ attempts }: Setting): OverAttempts => overMeans(claimsOf(attempts));
