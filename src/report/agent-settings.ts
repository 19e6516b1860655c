import type { AgentRunRow, GraderRow, GradeRow } from '../db/index.ts';
import { mean, type OfGroup, overOrganisms } from '../graders/statistics.ts';
import type { AgentFacts, OrganismFacts } from './facts.ts';
import { digits, escapeMarkdown, percent } from './markdown.ts';

/** Agent runs of one kind, pair, model and budget. */
export interface Setting {
  who: string;
  /** Null of one that asks nobody. */
  budget: { calls: number; tokens: number; interactions: number } | null;
  isNull: boolean;
  runs: { facts: OrganismFacts; agent: AgentFacts }[];
}

const names = { AGENT: 'agent', BLACK_BOX: 'black box', OFFLINE: 'offline, rules only' } as const;
const order = Object.keys(names);

const whoOf = ({ kind, pair, model }: AgentRunRow): string =>
  `${names[kind]}${model === null ? '' : ` (${model})`}${pair === 'NULL' ? ', null pair' : ''}`;

function budgetOf({ kind, parameters }: AgentRunRow): Setting['budget'] {
  if (kind === 'OFFLINE') return null;
  const { calls, tokens, interactions } = (parameters['budget'] ?? {}) as Partial<
    NonNullable<Setting['budget']>
  >;
  return { calls: calls ?? 0, tokens: tokens ?? 0, interactions: interactions ?? 0 };
}

/** In the order of the report: organisms before null pairs, each by kind, model and rising budget. */
export function settingsOf(organisms: readonly OrganismFacts[]): Setting[] {
  const settings = new Map<string, Setting>();
  for (const facts of organisms)
    for (const agent of facts.agents) {
      const { kind, pair } = agent.agentRun;
      const [who, budget] = [whoOf(agent.agentRun), budgetOf(agent.agentRun)];
      const number = (of: number | undefined) => String(of ?? 0).padStart(16, '0');
      // Sorts as the settings are to stand.
      const key = [
        ...[pair === 'NULL' ? 1 : 0, order.indexOf(kind), who],
        ...[budget?.interactions, budget?.calls, budget?.tokens].map(number),
      ].join(' ');
      const setting = settings.get(key) ?? { who, budget, isNull: pair === 'NULL', runs: [] };
      setting.runs.push({ facts, agent });
      settings.set(key, setting);
    }
  return [...settings].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, setting]) => setting);
}

export const finalOf = ({ hypotheses }: AgentFacts) =>
  hypotheses.find(({ hypothesis }) => hypothesis.status === 'FINAL');

export const gradeBy = (grader: GraderRow, grades: readonly GradeRow[]): GradeRow | undefined =>
  grades.find((grade) => grade.grader.key === grader.key);

export function gradersOf(all: readonly AgentFacts[]): GraderRow[] {
  const graders = new Map(
    all.flatMap(({ hypotheses }) =>
      hypotheses.flatMap(({ grades }) => grades.map(({ grader }) => [grader.key, grader] as const)),
    ),
  );
  return [...graders.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

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

/** Of each organism the mean over its attempts, then over organisms. */
function overAttempts(
  { runs }: Setting,
  valueOf: (agent: AgentFacts) => number | null | undefined,
): OverAttempts {
  const byOrganism = new Map<number, number[]>();
  for (const { facts, agent } of runs) {
    const value = valueOf(agent);
    if (value === null || value === undefined) continue;
    const { id } = facts.organism;
    byOrganism.set(id, [...(byOrganism.get(id) ?? []), value]);
  }
  const values = [...byOrganism.values()].map(mean);
  return { values, over: overOrganisms(values) };
}

export const scores = (grader: GraderRow, setting: Setting) =>
  overAttempts(setting, (agent) => gradeBy(grader, finalOf(agent)?.grades ?? [])?.value);

/** Of answers only: who has none claims nothing. */
export const claims = (setting: Setting) =>
  overAttempts(setting, ({ agentRun: { state, conclusive } }) =>
    state === 'COMPLETED' && conclusive !== null ? Number(conclusive) : null,
  );
