import type { OrganismRow } from '../src/db/index.ts';
import { AgentRunConnection, agentRunFilters, AgentRunRef } from './agent-run.ts';
import { BaseModelRef } from './base-model.ts';
import { builder } from './builder.ts';
import { connection, connectionType } from './connection.ts';
import { OrganismFormEnum } from './enums.ts';
import { filtered, orderedBy } from './filter.ts';
import { OrganismFilter, OrganismOrder } from './filters.ts';
import { RunConnection, runFilters, RunRef } from './run.ts';

export const OrganismRef = builder.objectRef<OrganismRow>('Organism');
export const OrganismConnection = connectionType('Organism', OrganismRef);

/** Arguments of every list of organisms. */
export const organismFilters = builder.args((t) => ({
  where: t.field({ type: OrganismFilter, description: 'Only organisms that match. Null or absent: all.' }),
  orderBy: t.field({ type: [OrganismOrder], description: orderedBy('by name') }),
  kinds: t.stringList({ description: 'Only organisms of one of these kinds. Null or absent: all.' }),
  forms: t.field({
    type: [OrganismFormEnum],
    description: 'Only organisms of one of these forms. Null or absent: all.',
  }),
}));

builder.node(OrganismRef, {
  description: 'A finetuned model with its base and what it was trained to be.',
  id: { resolve: (organism) => organism.key },
  loadOne: (name, { store }) => store.organisms.find(name),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Unique name in this store.' }),
    form: t.expose('form', { type: OrganismFormEnum, description: 'How its weights are kept.' }),
    kind: t.exposeString('kind', {
      description:
        'What sort of finetune, an open set: SDF (synthetic documents), EM (emergent misalignment), TABOO, OTHER.',
    }),
    description: t.exposeString('description', { description: 'The finetune in a few words.' }),
    groundTruth: t.exposeString('groundTruth', {
      nullable: true,
      description: 'What it was trained on, in full, against which readings are judged. Null when not known.',
    }),
    mixRatio: t.exposeFloat('mixRatio', {
      nullable: true,
      description:
        'Unrelated documents mixed in per document of the finetune, 0 or more. Null when not known.',
    }),
    digest: t.exposeString('digest', { description: 'SHA-256 over the adapter or checkpoint, in hex.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was registered here.' }),
    baseModel: t.field({
      type: BaseModelRef,
      nullable: true,
      description: 'The model it was finetuned from; null where the viewer does not see it.',
      resolve: (organism, _, { store }) => store.models.findById(organism.baseModelId),
    }),
    runs: t.connection(
      {
        type: RunRef,
        description: 'Measurements of this organism, newest first.',
        args: runFilters,
        ...filtered,
        resolve: (organism, args, context) =>
          connection(context, context.store.runs.ofOrganism, organism, args),
      },
      RunConnection,
    ),
    agentRuns: t.connection(
      {
        type: AgentRunRef,
        description: 'Attempts of agents to find out what it was finetuned on, newest first.',
        args: agentRunFilters,
        ...filtered,
        resolve: (organism, args, context) =>
          connection(context, context.store.agentRuns.ofOrganism, organism, args),
      },
      AgentRunConnection,
    ),
    latestRun: t.field({
      type: RunRef,
      nullable: true,
      description: 'The newest measurement of this organism; null before the first.',
      resolve: (organism, _, { store }) => store.runs.latestOfOrganism(organism),
    }),
  }),
});

builder.queryFields((t) => ({
  organisms: t.connection(
    {
      type: OrganismRef,
      description: 'All organisms, by name unless told otherwise.',
      args: organismFilters,
      ...filtered,
      resolve: (_, args, context) => connection(context, context.store.organisms.all, null, args),
    },
    OrganismConnection,
  ),
  organism: t.field({
    type: OrganismRef,
    nullable: true,
    description: 'The organism of this name; null when there is none.',
    args: { name: t.arg.string({ required: true, description: 'Its exact name.' }) },
    resolve: (_, { name }, { store }) => store.organisms.find(name),
  }),
}));
