import { causalKind } from './causal.ts';
import { componentsKind } from './components.ts';
import type { JobKind } from './define-kind.ts';
import { divergenceKind } from './divergence.ts';
import { projectionKind } from './projection.ts';
import { corpusKind, modelKind, organismKind } from './registrations.ts';
import { runKind } from './run.ts';
import { steeringKind } from './steering.ts';

/** Every kind of job. A kind is one file and one line here. */
const all = [
  runKind,
  projectionKind,
  steeringKind,
  causalKind,
  divergenceKind,
  componentsKind,
  modelKind,
  organismKind,
  corpusKind,
] as unknown as JobKind[];

export const jobKinds: ReadonlyMap<string, JobKind> = new Map(all.map((kind) => [kind.name, kind]));
export { type JobKind, JobInputError, type JobResult, type JobWork } from './define-kind.ts';
