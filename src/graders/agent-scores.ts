import type { AgentAttempt, AgentKind, AgentPair } from '../db/index.ts';
import { canonicalJson, type JsonObject } from '../lib/canonical-json.ts';
import { layerAtDepth } from '../lib/layer-at-depth.ts';
import { mean } from './statistics.ts';

/** The most that an agent may have taken; null: no limit. */
export interface AgentLimits {
  calls: number | null;
  tokens: number | null;
  interactions: number | null;
  seconds: number | null;
}

/** Everything that decides an agent run beside the organism and which attempt it is. */
export interface AgentSetting {
  kind: AgentKind;
  pair: AgentPair;
  provider: string | null;
  model: string | null;
  version: number;
  promptDigest: string | null;
  /** Of the layer that is read, 0 (first block) to 1 (last); null for a black box. */
  depth: number | null;
  /** Null of one that asks nobody. */
  budget: AgentLimits | null;
  /** Parameters that are in none of those. */
  rest: JsonObject;
}

export interface AttemptsOfSetting {
  setting: AgentSetting;
  /** Equal for equal settings. */
  key: string;
  attempts: AgentAttempt[];
}

/** What tells attempts apart that are the same otherwise, and what follows from the organism. */
const ofAttempts = ['repeat', 'seed', 'read', 'layer', 'budget'];

const kinds: readonly AgentKind[] = ['AGENT', 'BLACK_BOX', 'OFFLINE'];
const usualDepths = [0.5, 0.25, 0.75, 0, 1];

/** Of models with different numbers of blocks the same where the published rule gives these layers. */
const depthOf = (layer: number, layers: number): number =>
  usualDepths.find((depth) => layerAtDepth(depth, layers) === layer) ??
  Math.round((100 * layer) / (layers - 1)) / 100;

export function settingOf({ agentRun, layers }: AgentAttempt): AgentSetting {
  const { kind, pair, provider, model, version, promptDigest, parameters } = agentRun;
  const { layer, budget } = parameters;
  const limits = (budget ?? {}) as Partial<AgentLimits>;
  return {
    ...{ kind, pair, provider, model, version, promptDigest },
    depth: typeof layer === 'number' && layers !== null ? depthOf(layer, layers) : null,
    budget:
      kind === 'OFFLINE'
        ? null
        : {
            calls: limits.calls ?? null,
            tokens: limits.tokens ?? null,
            interactions: limits.interactions ?? null,
            seconds: limits.seconds ?? null,
          },
    rest: Object.fromEntries(Object.entries(parameters).filter(([name]) => !ofAttempts.includes(name))),
  };
}

/**
 * Attempts by all that decides them but the organism, so that nothing is pooled that is not the same: organisms before null pairs, each by
 * kind, model and whatever else tells them apart, then by rising budget (interactions, calls, tokens, seconds).
 */
export function bySetting(attempts: readonly AgentAttempt[]): AttemptsOfSetting[] {
  const groups = new Map<string, AttemptsOfSetting>();
  for (const attempt of attempts) {
    const setting = settingOf(attempt);
    const key = canonicalJson({ ...setting, budget: setting.budget && { ...setting.budget } });
    const group = groups.get(key) ?? { setting, key, attempts: [] };
    groups.set(key, group);
    group.attempts.push(attempt);
  }
  return [...groups.values()].sort((a, b) => {
    const [one, other] = [placeOf(a.setting), placeOf(b.setting)];
    const at = one.findIndex((value, i) => value !== other[i]);
    if (at < 0) return a.key < b.key ? -1 : 1;
    return (one[at] as string | number) < (other[at] as string | number) ? -1 : 1;
  });
}

function placeOf({ kind, pair, model, version, depth, budget, ...rest }: AgentSetting): (string | number)[] {
  const limits = [budget?.interactions, budget?.calls, budget?.tokens, budget?.seconds];
  return [
    Number(pair === 'NULL'),
    kinds.indexOf(kind),
    ...[model ?? '', version, depth ?? -1, canonicalJson(rest)],
    ...limits.map((limit) => limit ?? (budget ? Infinity : 0)),
  ];
}

/** What one organism's attempts come to. */
export interface OfOrganism {
  organism: string;
  /** Attempts with a value, 1 or more. */
  count: number;
  mean: number;
  max: number;
}

/** Of each organism what its attempts come to, in their order; who has no value is left out. */
function overAttempts(
  attempts: readonly AgentAttempt[],
  valueOf: (attempt: AgentAttempt) => number | null,
): OfOrganism[] {
  const values = new Map<string, number[]>();
  for (const attempt of attempts) {
    const value = valueOf(attempt);
    if (value === null) continue;
    values.set(attempt.organism, [...(values.get(attempt.organism) ?? []), value]);
  }
  return [...values].map(([organism, own]) => ({
    organism,
    count: own.length,
    mean: mean(own),
    max: Math.max(...own),
  }));
}

/** Scores of answers, in the grader's unit. */
export const scoresOf = (attempts: readonly AgentAttempt[]): OfOrganism[] =>
  overAttempts(attempts, ({ grade }) => grade?.value ?? null);

/** Whether answers claim to know, 0 or 1; who has no answer claims nothing. */
export const claimsOf = (attempts: readonly AgentAttempt[]): OfOrganism[] =>
  overAttempts(attempts, ({ agentRun: { state, conclusive } }) =>
    state === 'COMPLETED' && conclusive !== null ? Number(conclusive) : null,
  );
