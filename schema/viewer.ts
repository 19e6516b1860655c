import type { Viewer } from '../src/db/index.ts';
import { builder } from './builder.ts';
import { costs } from './cost.ts';
import { ViewerKindEnum } from './enums.ts';

const ViewerRef = builder.objectRef<Viewer>('Viewer').implement({
  description: 'Who asks, as far as this server knows.',
  fields: (t) => ({
    kind: t.expose('kind', { type: ViewerKindEnum, description: 'How they are known.' }),
    team: t.string({
      nullable: true,
      description: 'Name of the team of their token. Null without one, and for an administrator of no team.',
      resolve: ({ teamId }, _, { store }) => (teamId === null ? null : (store.teams.nameOf(teamId) ?? null)),
    }),
    scopes: t.stringList({
      ...costs({ assumedSize: 5 }),
      description:
        'What they may do, an open set: read, write (register and change things, tags and notes), jobs:run (start and cancel jobs), import (register things, and no more), admin (everything).',
      resolve: ({ scopes }) => [...scopes],
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerRef,
    description: 'Who asks: what a client needs to know of its own token.',
    resolve: (_, __, { store }) => store.viewer,
  }),
);
