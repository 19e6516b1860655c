import type { Method } from './define-method.ts';
import { logitLens } from './logit-lens.ts';

export { defineMethod, type Method, type Projection, type VectorSet } from './define-method.ts';

/** Every way to read a vector, by name: a measurement reads with all of them. */
export const methods: Readonly<Record<string, Method>> = { [logitLens.name]: logitLens };
