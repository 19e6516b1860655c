import { canonicalJson, type JsonObject } from '../lib/canonical-json.ts';
import { sha256 } from '../lib/sha256.ts';
import { vectorKinds, type VectorKind } from './tables/vector-data.ts';

/**
 * Public keys follow from content, so they survive a rebuild of the file and mean the same in every copy of it:
 *   run          3f2a…                  first 20 hex digits of the SHA-256 of its spec
 *   layer        3f2a….L3
 *   diff vector  3f2a….L3.P2
 *   vector       3f2a….L3.P2/base-mean
 *   projection   3f2a….L3.P2.logit-lens.diff.promoted
 *                3f2a….L3.P2.patchscope@0.7.diff.promoted.compat.90c1…   the scale, the mode, the parameters, where it has them
 *   token        3f2a….L3.P2.logit-lens.diff.promoted.0
 *   divergence   3f2a….divergence.P2.90c1…
 *   components   3f2a….L3.P2.components.90c1…
 *   effect       3f2a….L3.P2.causal.base-to-finetuned.all.none.90c1…
 *   experiment   3f2a….L3.P2.steering.fluency.90c1…
 *   sample       3f2a….L3.P2.steering.fluency.90c1….steered.0.3          prompt 0, sample 3
 *   similarity   3f2a….L3.P2.steering.fluency.90c1….steered.training.90c1…
 *   grade        3f2a….L3.P2.logit-lens.diff.promoted.grade.offline-relevance.90c1…    of a projection or a sample
 *   grader       offline-relevance.90c1…
 *   agent run    3f2a…                  first 20 hex digits of the SHA-256 of what was asked
 *   message      3f2a….M0
 *   hypothesis   3f2a….H1               graded as projections and samples are
 */
export const runKey = (spec: JsonObject): string => sha256(canonicalJson(spec)).slice(0, 20);

/** The end of the key of what was computed of a run later: 12 hex digits, of all that decides it and that its key does not say. */
export const parametersKey = (decisive: JsonObject): string => sha256(canonicalJson(decisive)).slice(0, 12);

/** How an enum value is written in a key: BASE_MEAN is base-mean. */
export const slug = (constant: Uppercase<string>): string => constant.toLowerCase().replaceAll('_', '-');

const constant = (slug: string): string => slug.toUpperCase().replaceAll('-', '_');

/** What a projection method or a judge may be called; keys rely on it. */
export const methodPattern = /^[a-z0-9]+(-[a-z0-9]+)*$/;

// Each split gives the parent's key and the rest, or undefined for text that is no such key. Only the one canonical
// spelling passes (no leading zeros, no capitals), so equal things have equal keys.

export function splitLayerKey(key: string) {
  const [, run, layer] = /^([0-9a-f]{20})\.L(0|[1-9]\d{0,8})$/.exec(key) ?? [];
  return run === undefined ? undefined : { run, layer: Number(layer) };
}

export function splitDiffVectorKey(key: string) {
  const [, layer, position] = /^([0-9a-f]{20}\.L\d+)\.P(0|[1-9]\d{0,8})$/.exec(key) ?? [];
  return layer === undefined ? undefined : { layer, position: Number(position) };
}

export function splitVectorKey(key: string) {
  const [, diffVector, name] = /^([^/]+)\/([a-z-]+)$/.exec(key) ?? [];
  const kind = vectorKinds.find((candidate: VectorKind) => slug(candidate) === name);
  return diffVector === undefined || kind === undefined ? undefined : { diffVector, kind };
}

export function splitProjectionKey(key: string) {
  const [, diffVector, method, scale, variant, sign, compat, parameters] =
    /^([^.]+\.[^.]+\.[^.]+)\.([a-z0-9-]+)(?:@([0-9.e+-]+))?\.([a-z]+)\.([a-z]+)(\.compat)?(?:\.([0-9a-f]{12}))?$/.exec(
      key,
    ) ?? [];
  if (diffVector === undefined || method === undefined || variant === undefined || sign === undefined)
    return undefined;
  if (scale !== undefined && !(Number(scale) > 0 && String(Number(scale)) === scale)) return undefined;
  return {
    diffVector,
    method,
    variant: constant(variant),
    sign: constant(sign),
    scaleOrder: Number(scale ?? 0),
    mode: compat === undefined ? 'EXACT' : 'COMPAT',
    parametersKey: parameters ?? '',
  };
}

export function splitTokenKey(key: string) {
  const [, projection, rank] = /^(.+)\.(0|[1-9]\d{0,8})$/.exec(key) ?? [];
  return projection === undefined ? undefined : { projection, rank: Number(rank) };
}

export function splitDivergenceKey(key: string) {
  const [, run, position, parametersKey] =
    /^([0-9a-f]{20})\.divergence\.P(0|[1-9]\d{0,8})\.([0-9a-f]{12})$/.exec(key) ?? [];
  return run === undefined || parametersKey === undefined
    ? undefined
    : { run, position: Number(position), parametersKey };
}

export function splitComponentsKey(key: string) {
  const [, diffVector, parametersKey] = /^([^.]+\.[^.]+\.[^.]+)\.components\.([0-9a-f]{12})$/.exec(key) ?? [];
  return diffVector === undefined || parametersKey === undefined ? undefined : { diffVector, parametersKey };
}

export function splitCausalEffectKey(key: string) {
  const [, diffVector, direction, subset, control, parametersKey] =
    /^([^.]+\.[^.]+\.[^.]+)\.causal\.([a-z-]+)\.([a-z-]+)\.([a-z-]+)\.([0-9a-f]{12})$/.exec(key) ?? [];
  return diffVector === undefined ||
    direction === undefined ||
    subset === undefined ||
    control === undefined ||
    parametersKey === undefined
    ? undefined
    : {
        diffVector,
        direction: constant(direction),
        subset: constant(subset),
        control: constant(control),
        parametersKey,
      };
}

export function splitExperimentKey(key: string) {
  const [, diffVector, judge, parametersKey] =
    /^([^.]+\.[^.]+\.[^.]+)\.steering\.([a-z0-9-]+)\.([0-9a-f]{12})$/.exec(key) ?? [];
  return diffVector === undefined || judge === undefined || parametersKey === undefined
    ? undefined
    : { diffVector, judge, parametersKey };
}

export function splitSampleKey(key: string) {
  const [, experiment, steered, prompt, sample] =
    /^(.+)\.(un)?steered\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$/.exec(key) ?? [];
  return experiment === undefined
    ? undefined
    : {
        experiment,
        steered: steered === undefined,
        promptIndex: Number(prompt),
        sampleIndex: Number(sample),
      };
}

export function splitSimilarityKey(key: string) {
  const [, experiment, group, other, parametersKey] =
    /^(.+)\.([a-z]+)\.([a-z]+)\.([0-9a-f]{12})$/.exec(key) ?? [];
  return experiment === undefined || group === undefined || other === undefined || parametersKey === undefined
    ? undefined
    : { experiment, group: constant(group), other: constant(other), parametersKey };
}

export function splitAgentMessageKey(key: string) {
  const [, agentRun, number] = /^([0-9a-f]{20})\.M(0|[1-9]\d{0,8})$/.exec(key) ?? [];
  return agentRun === undefined ? undefined : { agentRun, number: Number(number) };
}

export function splitHypothesisKey(key: string) {
  const [, agentRun, number] = /^([0-9a-f]{20})\.H([1-9]\d{0,8})$/.exec(key) ?? [];
  return agentRun === undefined ? undefined : { agentRun, number: Number(number) };
}

export function splitGradeKey(key: string) {
  const [, subject, grader, parametersKey] = /^(.+)\.grade\.([a-z0-9-]+)\.([0-9a-f]{12})$/.exec(key) ?? [];
  return subject === undefined || grader === undefined || parametersKey === undefined
    ? undefined
    : { subject, grader, parametersKey };
}
