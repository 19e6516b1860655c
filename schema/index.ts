import { builder } from './builder.ts';
import './scalars.ts';
import './enums.ts';
import './node.ts';
import './base-model.ts';
import './organism.ts';
import './corpus.ts';
import './run.ts';
import './certificate.ts';
import './run-layer.ts';
import './diff-vector.ts';
import './vector.ts';
import './projection.ts';
import './projection-token.ts';

export { graphContext, type GraphContext } from './builder.ts';
export const schema = builder.toSchema();
