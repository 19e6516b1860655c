import { logitLens } from './logit-lens.ts';

export { defineMethod, type Method, type Projection, type VectorSet } from './define-method.ts';

/** Every way to read a vector, by name. */
export const methods = { [logitLens.name]: logitLens } as const;
export { logitLens };
