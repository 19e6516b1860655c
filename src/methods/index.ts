import type { Method } from './define-method.ts';
import { logitLens } from './logit-lens.ts';
import { patchscope } from './patchscope.ts';

export {
  defineMethod,
  engineMode,
  type Method,
  type Projection,
  type ReadingMode,
  type ReadToken,
  type VectorSet,
} from './define-method.ts';
export { keptOf, patchscope } from './patchscope.ts';

/** The ways to read a vector that cost next to nothing, by name: a measurement reads with all of them. */
export const methods: Readonly<Record<string, Method>> = { [logitLens.name]: logitLens };

/** Those that read a measured run when they are asked to. */
export const methodsOnDemand: Readonly<Record<string, Method>> = { [patchscope.name]: patchscope as Method };
