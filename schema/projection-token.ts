import type { ProjectionTokenRow } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { connectionType } from './connection.ts';
import { ProjectionRef } from './projection.ts';

export const ProjectionTokenRef = builder.objectRef<ProjectionTokenRow>('ProjectionToken');
export const ProjectionTokenConnection = connectionType('ProjectionToken', ProjectionTokenRef);

builder.node(ProjectionTokenRef, {
  description: 'A token in a projection.',
  id: { resolve: (token) => token.key },
  loadOne: (key, { store }) => store.tokens.findByKey(key),
  fields: (t) => ({
    rank: t.exposeInt('rank', { description: 'Place in the projection, 0 is the strongest.' }),
    tokenId: t.exposeInt('tokenId', { description: 'Id in the vocabulary of the model.' }),
    text: t.exposeString('text', {
      nullable: true,
      description:
        'The token as text, spaces kept. Null when it is no text by itself, such as a part of a character.',
    }),
    probability: t.exposeFloat('probability', {
      nullable: true,
      description: 'What the method gave it, 0..1. Null when not finite.',
    }),
    projection: t.field({
      type: ProjectionRef,
      description: 'The projection it belongs to.',
      resolve: (token) => token.projection,
    }),
  }),
});
