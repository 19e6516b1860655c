import type { ProjectionRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { ProjectionSignEnum, ProjectionVariantEnum } from './enums.ts';
import { ProjectionTokenConnection, ProjectionTokenRef } from './projection-token.ts';

export const ProjectionRef = builder.objectRef<ProjectionRow>('Projection');
export const ProjectionConnection = connectionType('Projection', ProjectionRef);

builder.node(ProjectionRef, {
  description: 'What a method read out of a vector, as tokens.',
  id: { resolve: (projection) => projection.key },
  loadOne: (key, { store }) => store.projections.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description: 'Readable identity: <diff vector>.<method>.<variant>.<sign>.',
    }),
    method: t.exposeString('method', { description: 'The method, such as logit-lens.' }),
    methodVersion: t.exposeInt('methodVersion', {
      description: 'Version of that method; it grows when its maths does.',
    }),
    variant: t.expose('variant', { type: ProjectionVariantEnum, description: 'Which vector was read.' }),
    sign: t.expose('sign', { type: ProjectionSignEnum, description: 'Which end the tokens are from.' }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Parameters of the method.' }),
    diffVector: t.field({
      type: DiffVectorRef,
      description: 'The place it was read from.',
      resolve: (projection) => projection.diffVector,
    }),
    tokens: t.connection(
      {
        type: ProjectionTokenRef,
        description: 'The tokens, strongest first.',
        resolve: (projection, args, context) =>
          connection(context, context.store.tokens.ofProjection, projection, args),
      },
      ProjectionTokenConnection,
    ),
  }),
});
