export { addon } from './addon.ts';
export {
  type CausalEffect,
  causalEffect,
  type CausalIntervention,
  type CausalOptions,
  interventions,
} from './causal-effect.ts';
export type { ComputeOptions, Progress } from './compute.ts';
export type { CrossEntropy, CrossEntropyOptions } from './cross-entropy.ts';
export { type Certificate, diff, type DiffOptions, type DiffResult } from './diff.ts';
export type { EmbedOptions } from './embed.ts';
export { NativeError, type NativeErrorCode } from './errors.ts';
export type { GenerateOptions, Generation, GenerationSettings } from './generate.ts';
export type { Intervention } from './intervention.ts';
export { type KlDivergence, klDivergence, type KlOptions } from './kl-divergence.ts';
export { type Mode, roundToBfloat16 } from './mode.ts';
export {
  type LensOptions,
  type LensReading,
  Model,
  type ModelSpec,
  type OpenOptions,
  type Token,
} from './model.ts';
export { cosine, nearest, type Neighbour } from './nearest.ts';
export { otherBaseWarning } from './other-base.ts';
export { identityPrompts, type PatchscopeOptions, patchscopeScales } from './patchscope.ts';
export {
  type ComponentsOptions,
  type PrincipalComponents,
  principalComponents,
} from './principal-components.ts';
export type { Tokens } from './tokens.ts';
export type { Vectors } from './vectors.ts';
