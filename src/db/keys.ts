import { canonicalJson, type JsonObject } from '../lib/canonical-json.ts';
import { sha256 } from '../lib/sha256.ts';
import type { ProjectionSign, ProjectionVariant } from './tables/projections.ts';
import { vectorKinds, type VectorKind } from './tables/vector-data.ts';

/**
 * Public keys follow from content, so they survive a rebuild of the file and mean the same in every copy of it:
 *   run         3f2a…                  first 20 hex digits of the SHA-256 of its spec
 *   layer       3f2a….L3
 *   diff vector 3f2a….L3.P2
 *   vector      3f2a….L3.P2/base-mean
 *   projection  3f2a….L3.P2.logit-lens.diff.promoted
 *   token       3f2a….L3.P2.logit-lens.diff.promoted.0
 */
export const runKey = (spec: JsonObject): string => sha256(canonicalJson(spec)).slice(0, 20);

/** How an enum value is written in a key: BASE_MEAN is base-mean. */
export const slug = (constant: VectorKind | ProjectionVariant | ProjectionSign): string =>
  constant.toLowerCase().replace('_', '-');

/** What a projection method may be called; keys rely on it. */
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
  const kind = vectorKinds.find((candidate) => slug(candidate) === name);
  return diffVector === undefined || kind === undefined ? undefined : { diffVector, kind };
}

export function splitProjectionKey(key: string) {
  const [, diffVector, method, variant, sign] =
    /^([^.]+\.[^.]+\.[^.]+)\.([a-z0-9-]+)\.([a-z]+)\.([a-z]+)$/.exec(key) ?? [];
  return diffVector === undefined || method === undefined || variant === undefined || sign === undefined
    ? undefined
    : { diffVector, method, variant: variant.toUpperCase(), sign: sign.toUpperCase() };
}

export function splitTokenKey(key: string) {
  const [, projection, rank] = /^(.+)\.(0|[1-9]\d{0,8})$/.exec(key) ?? [];
  return projection === undefined ? undefined : { projection, rank: Number(rank) };
}
