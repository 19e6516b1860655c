import type { ProjectionRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { DiffVectorRef } from './diff-vector.ts';
import { ModeEnum, ProjectionSignEnum, ProjectionVariantEnum } from './enums.ts';
import { filtered, orderedBy } from './filter.ts';
import { checkGrader, graderOfOrder, ProjectionFilter, ProjectionOrder } from './filters.ts';
import { ProjectionTokenConnection, ProjectionTokenRef } from './projection-token.ts';

export const ProjectionRef = builder.objectRef<ProjectionRow>('Projection');
export const ProjectionConnection = connectionType('Projection', ProjectionRef);

builder.node(ProjectionRef, {
  description: 'What a method read out of a vector, as tokens.',
  id: { resolve: (projection) => projection.key },
  loadOne: (key, { store }) => store.projections.findByKey(key),
  fields: (t) => ({
    key: t.exposeString('key', {
      description:
        'Readable identity: <diff vector>.<method>[@<scale>].<variant>.<sign>, then .compat in that mode, and twelve hex digits of the parameters where the run did not bring it along.',
    }),
    method: t.exposeString('method', { description: 'The method, such as logit-lens.' }),
    methodVersion: t.exposeInt('methodVersion', {
      description: 'Version of that method; it grows when its maths does.',
    }),
    variant: t.expose('variant', { type: ProjectionVariantEnum, description: 'Which vector was read.' }),
    sign: t.expose('sign', { type: ProjectionSignEnum, description: 'Which end the tokens are from.' }),
    scale: t.exposeFloat('scale', {
      nullable: true,
      description:
        'What the vector was multiplied by, above 0, no unit (parameters say whether it was normed first). Null for methods without scales.',
    }),
    chosen: t.exposeBoolean('chosen', {
      description:
        'Whether this is the scale that a rule without a language model took, one of those with the same method, variant, sign, mode and parameters. True for methods without scales.',
    }),
    score: t.exposeFloat('score', {
      nullable: true,
      description:
        'What that rule gave this scale, no unit, the largest is chosen. Null where it gave none, as for methods without scales.',
    }),
    mode: t.expose('mode', { type: ModeEnum, description: 'Which way of computing was followed.' }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Parameters of the method.' }),
    engineVersion: t.exposeString('engineVersion', { description: 'Version of the engine that made it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was saved here.' }),
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

builder.queryField('projections', (t) =>
  t.connection(
    {
      type: ProjectionRef,
      ...filtered,
      description:
        'The projections of every organism, in the order they were saved unless told otherwise. totalCount stops at 10,000.',
      args: {
        where: t.arg({
          type: ProjectionFilter,
          description: 'Only projections that match. Null or absent: all.',
        }),
        orderBy: t.arg({ type: [ProjectionOrder], description: orderedBy('in the order they were saved') }),
        grader: t.arg.string(graderOfOrder),
      },
      resolve(_, args, context) {
        checkGrader(args);
        return connection(context, context.store.projections.all, null, args);
      },
    },
    ProjectionConnection,
  ),
);
